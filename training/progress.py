"""How far a training is, in words: images, speed, time left."""

from __future__ import annotations

import logging
import time
from collections import deque

LINE_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Pace:
    """Tells the progress of a run every half minute, at the speed of the last minutes."""

    def __init__(self, images: int) -> None:
        """`images` is the number to train on in all."""
        self._images = images
        self._marks: deque[tuple[float, int]] = deque(maxlen=10)
        self._told = time.monotonic()

    def step(self, seen: int, loss: float) -> float | None:
        """After each step: images seen so far and the loss. Returns images per second whenever a line was told."""
        now = time.monotonic()
        if not self._marks:
            self._marks.append((now, seen))
        if now - self._told < LINE_SECONDS and seen < self._images:
            return None
        self._told = now
        then, before = self._marks[0]
        self._marks.append((now, seen))
        speed = (seen - before) / (now - then) if now > then else 0.0
        left = f"{(self._images - seen) / speed / 60:.0f} min left" if speed else "begins"
        _log.info("%s of %s images, %.1f images/s, loss %.4f, %s", f"{seen:,}", f"{self._images:,}", speed, loss, left)
        return speed
