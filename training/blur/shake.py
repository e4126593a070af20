"""Shake: the path of a camera over consecutive exposures of a stream, and the blur kernel that each of them leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamdeblur.training.blur.scheme import Family
from streamdeblur.training.blur.trajectories import (
    SIZE,
    WAVE_SECONDS,
    consecutive_exposures,
    handshake,
    markov_trajectory,
    resampled,
)

POINTS = 128
"""Points of a path per frame interval."""


@dataclass(frozen=True, eq=False)
class Shake:
    """Positions of a picture on the sensor, exposure by exposure. Between two exposures the shutter is closed."""

    positions: NDArray[np.float32]
    """x and y in pixels at equal intervals: float32 [exposures, points, 2]; the mean of each exposure is zero."""

    @classmethod
    def sample(
        cls,
        random: np.random.Generator,
        exposures: int,
        extent: float,
        duty: float,
        family: Family | None = None,
        present: int = -1,
    ) -> Self:
        """Sample a random path.

        Args:
            random: Source of the random numbers.
            exposures: Number of exposures.
            extent: Extent of the present exposure's kernel in pixels (`trajectories`); less where another one's would not fit.
            duty: Fraction of a frame interval during which the shutter is open.
            family: `markov` or `handshake`; None takes either.
            present: Index of the present exposure; the last one by default.
        """
        if family is None:
            family = "markov" if random.random() < 0.5 else "handshake"
        points = POINTS * exposures
        if family == "markov":
            path = resampled(markov_trajectory(random), points).astype(np.float32)
        else:
            shortest, longest = np.log(WAVE_SECONDS)
            path = handshake(random, 2, points, exposures * float(np.exp(random.uniform(shortest, longest))))
        open_points = max(2, round(duty * POINTS))
        parts = path.reshape(exposures, POINTS, 2)[:, :open_points]
        return cls(consecutive_exposures(parts, extent, present))

    def stopped(self, exposures: NDArray[np.bool_]) -> Shake:
        """Return the path of a camera that stands still during some of the exposures, bool [exposures]."""
        return Shake(np.where(exposures[:, None, None], np.float32(0.0), self.positions))


def kernel_at(positions: NDArray[np.floating], size: int = SIZE) -> NDArray[np.float32]:
    """Render the kernel of positions on the sensor: float32 [size, size], its sum 1, zero displacement in its middle.

    Args:
        positions: x and y in pixels at equal intervals, [points, 2]; those outside the kernel are moved to its border.
        size: Side of the kernel, odd.
    """
    places = np.clip(positions + size // 2, 0.0, size - 1.001)
    whole = places.astype(np.int64)
    right, below = (places - whole).T
    at = whole[:, 1] * size + whole[:, 0]
    corners = ((0, (1 - below) * (1 - right)), (1, (1 - below) * right), (size, below * (1 - right)), (size + 1, below * right))
    kernel = sum(np.bincount(at + offset, weights, size * size) for offset, weights in corners)
    return np.asarray(kernel, np.float32).reshape(size, size) / np.float32(len(positions))
