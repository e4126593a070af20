"""The progress line of a training: images, speed, loss, time left."""

from __future__ import annotations

import logging
import time
from collections import deque

INTERVAL_SECONDS = 30.0
INTERVALS_AVERAGED = 10

logger = logging.getLogger(__name__)


class ProgressLog:
    """Logs the progress of a run every half minute; the speed is that of the last five minutes."""

    def __init__(self, images: int) -> None:
        """
        Args:
            images: Images to train on in all.
        """
        self._total = images
        self._history: deque[tuple[float, int]] = deque(maxlen=INTERVALS_AVERAGED)
        self._last_line = time.monotonic()

    def update(self, images: int, loss: float) -> float | None:
        """Log a line if it is time for one; called after each step.

        Args:
            images: Images that were trained on so far.
            loss: Of the step.

        Returns:
            Images per second if a line was logged, else None.
        """
        now = time.monotonic()
        if not self._history:
            self._history.append((now, images))
        if now - self._last_line < INTERVAL_SECONDS and images < self._total:
            return None
        self._last_line = now
        then, before = self._history[0]
        self._history.append((now, images))
        speed = (images - before) / (now - then) if now > then else 0.0
        left = f"{(self._total - images) / speed / 60:.0f} min left" if speed else "starting"
        logger.info("%s of %s images, %.1f images/s, loss %.4f, %s", f"{images:,}", f"{self._total:,}", speed, loss, left)
        return speed
