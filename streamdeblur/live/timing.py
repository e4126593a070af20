"""Timing of a live stream: latency statistics, the playout delay, and the pauses between attempts to reconnect."""

from __future__ import annotations

import math
import time
from collections import deque

import numpy as np

TICKS = 90_000
"""Time base of frames on their way to the sinks: ticks per second."""
BIN = 1e-4
"""Resolution of the latency histogram in seconds."""
LONGEST = 5.0
"""Upper end of the latency histogram in seconds; longer latencies count as this."""
DELAY_FRAMES = 100
"""Number of recent frames that the playout delay is computed from."""
DELAY_QUANTILE = 0.95
"""Share of the recent frames that are ready by the playout delay."""
ARRIVALS = 31
"""Number of recent frames that the rate of a source is measured by."""
BREAK_SECONDS = 1.0
"""Time without a frame that is a break of the stream, and no interval."""
OTHER_RATE = 1.25
"""Ratio by which a rate differs from the stated one before it is another one: cameras and networks deliver unevenly."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between two attempts to reconnect: at first, and at most."""


class Latencies:
    """A histogram of latencies, in constant memory."""

    def __init__(self) -> None:
        self._counts = np.zeros(round(LONGEST / BIN) + 1, np.int64)

    def __repr__(self) -> str:
        return f"Latencies({self.milliseconds()})"

    def add(self, seconds: float) -> None:
        """Count one latency."""
        self._counts[min(max(round(seconds / BIN), 0), len(self._counts) - 1)] += 1

    def quantile(self, share: float) -> float:
        """Return the latency in seconds that this share (0 to 1) of all latencies does not exceed; NaN if there is none."""
        total = int(self._counts.sum())
        if not total:
            return math.nan
        return float(np.searchsorted(np.cumsum(self._counts), math.ceil(share * total))) * BIN

    def milliseconds(self) -> dict[str, float | None]:
        """Return p50, p95 and p99 in milliseconds; None if no latency has been counted."""
        return {
            name: None if math.isnan(value := self.quantile(share)) else round(1000 * value, 1)
            for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
        }


class PlayoutDelay:
    """The delay after capture at which frames are shown, so that they keep the rhythm in which they were captured.

    It is the 95 % quantile of the processing times of the last 100 frames, so that few frames are late.

    Attributes:
        seconds: The current delay.
    """

    def __init__(self) -> None:
        """Begin without delay."""
        self.seconds = 0.0
        self._recent: deque[float] = deque(maxlen=DELAY_FRAMES)

    def __repr__(self) -> str:
        return f"PlayoutDelay({self.seconds:.4f})"

    def update(self, seconds: float, *, longest: float) -> None:
        """Add the time from the capture of a frame until it was ready; the delay is at most the `longest`."""
        self._recent.append(seconds)
        ordered = sorted(self._recent)
        self.seconds = min(longest, ordered[math.ceil(DELAY_QUANTILE * len(ordered)) - 1])


class FrameInterval:
    """The time between two frames of a source: as it states, unless they come at another rate, as from cameras in dim light.

    Attributes:
        seconds: The time.
    """

    def __init__(self, stated: float, *, recorded: bool = False) -> None:
        """Begin with the time that the source states, in seconds.

        A recording that is played does not come faster than it states: where the reader was late, frames follow one another.
        """
        self.seconds = self._stated = stated
        self._recorded = recorded
        self._arrivals: deque[float] = deque(maxlen=ARRIVALS)

    def __repr__(self) -> str:
        return f"FrameInterval({self.seconds:.4f}, stated={self._stated:.4f})"

    def add(self, arrived_at: float) -> None:
        """Add the time at which a frame arrived."""
        if self._arrivals and arrived_at - self._arrivals[-1] > BREAK_SECONDS:
            self._arrivals.clear()
        self._arrivals.append(arrived_at)
        if len(self._arrivals) == ARRIVALS:
            usual = float(np.median(np.diff(self._arrivals)))
            differs = not 1 / OTHER_RATE < usual / self._stated < OTHER_RATE
            self.seconds = usual if differs and usual > (self._stated if self._recorded else 0) else self._stated


class Backoff:
    """Exponential back-off: the pause between attempts doubles after each failure, up to a limit."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE
        self._next = 0.0

    def due(self) -> bool:
        """Return whether the pause since the last failure is over."""
        return time.monotonic() >= self._next

    def failed(self) -> float:
        """Record a failure; returns the seconds until the next attempt."""
        pause, self._pause = self._pause, min(LONGEST_PAUSE, 2 * self._pause)
        self._next = time.monotonic() + pause
        return pause

    def succeeded(self) -> None:
        """Record a success: the next pause is the shortest again."""
        self._pause, self._next = FIRST_PAUSE, 0.0
