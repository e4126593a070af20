"""Time in a live stream: how late frames are, at which steady delay they are shown, when to try again."""

from __future__ import annotations

import math
import time
from collections import deque

import numpy as np

TICKS = 90_000
"""Time stamps per second, of frames on their way to the sinks."""
BIN = 1e-4
"""Seconds: how exact latencies are told."""
LONGEST = 5.0
"""Seconds; longer latencies count as this."""
REMEMBERED = 100
"""Frames from which the steady delay is known: some seconds."""
IN_TIME = 0.95
"""Share of the frames that are ready by the steady delay."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between two attempts."""


class Latencies:
    """The distribution of latencies, in memory that does not grow."""

    def __init__(self) -> None:
        self._counts = np.zeros(round(LONGEST / BIN) + 1, np.int64)

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[min(max(round(seconds / BIN), 0), len(self._counts) - 1)] += 1

    def quantile(self, share: float) -> float:
        """Seconds that this share of the latencies does not exceed; NaN before the first."""
        total = int(self._counts.sum())
        if not total:
            return math.nan
        return float(np.searchsorted(np.cumsum(self._counts), math.ceil(share * total))) * BIN

    def milliseconds(self) -> dict[str, float | None]:
        """p50, p95 and p99 in milliseconds; None before the first."""
        return {
            name: None if math.isnan(value := self.quantile(share)) else round(1000 * value, 1)
            for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
        }


class SteadyDelay:
    """How long after its capture a frame is shown, so that frames follow each other as they were captured: as long as most
    frames take, so that few are later and none waits longer than it must."""

    def __init__(self, longest: float) -> None:
        """`longest`: seconds at most."""
        self.seconds = 0.0
        self._longest = longest
        self._past: deque[float] = deque(maxlen=REMEMBERED)

    def learn(self, seconds: float) -> None:
        """Take in how long a frame took until it was ready."""
        self._past.append(seconds)
        ordered = sorted(self._past)
        self.seconds = min(self._longest, ordered[math.ceil(IN_TIME * len(ordered)) - 1])


class Backoff:
    """When to try again what failed: soon at first, then less and less often."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time for an attempt."""
        return time.monotonic() >= self._next

    def failed(self) -> float:
        """An attempt failed; returns the seconds until the next."""
        pause, self._pause = self._pause, min(LONGEST_PAUSE, 2 * self._pause)
        self._next = time.monotonic() + pause
        return pause

    def succeeded(self) -> None:
        """It works again."""
        self._pause, self._next = FIRST_PAUSE, 0.0
