"""Filter taps of a separable resampling: area average when shrinking, Catmull-Rom cubic when enlarging."""

from __future__ import annotations

import math

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

LARGEST_SPAN = 1 << 22
"""Source samples that a resampling may cover: far more than any line has, few enough for the weights to fit in memory."""
FARTHEST = 1 << 24
"""Largest distance in samples from the first sample of a source at which a resampling may begin."""


def check_cells(count: int, origin: float, step: float) -> None:
    """Check the cells of a resampling, whose positions and number of taps follow from these.

    Raises:
        ValueError: They are not finite, not positive, or cover far more than any picture has.
    """
    # comparisons with NaN are false
    if not (step > 0.0 and (count + 2) * step <= LARGEST_SPAN and abs(origin) <= FARTHEST):
        raise ValueError(
            f"{count} cells of {step:g} samples from {origin:g} cannot be resampled; at most {LARGEST_SPAN} samples, "
            f"which begin within {FARTHEST} of the first one, can."
        )


@checked(lambda step: check_cells(1, 0.0, step), step="float > 0")
@kernel
def tap_count(step: float) -> int:
    """Taps per output cell that covers `step` source samples; at least 4, for which the inner loop is unrolled."""
    return max(4, math.ceil(step) + 1)


@checked(distance="float")
@kernel
def cubic(distance: float) -> float:
    """Catmull-Rom cubic (Keys 1981, a = -1/2) at `distance` samples from its centre."""
    x = abs(distance)
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:
        return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return 0.0


@checked(check_cells, count="int >= 0", origin="float", step="float > 0")
@kernel
def make_taps(count: int, origin: float, step: float) -> tuple[Array, Array]:
    """Compute the first source sample and the weights of each output cell.

    Cell ``j`` covers ``[origin + j * step, origin + (j + 1) * step)`` in a source whose sample ``i`` covers ``[i, i + 1)``.

    Returns:
        ``first``, int64 [count], which may lie outside the source, whose border the caller repeats; and ``weights``,
        float32 [count, taps], of which each row sums to 1.
    """
    taps = tap_count(step)
    first = np.empty(count, np.int64)
    weights = np.zeros((count, taps), np.float32)
    for j in range(count):
        begin = origin + j * step
        if step >= 1.0:
            first[j] = math.floor(begin)
            for t in range(taps):
                left = max(begin, float(first[j] + t))
                right = min(begin + step, float(first[j] + t + 1))
                weights[j, t] = max(0.0, right - left) / step
        else:
            centre = begin + 0.5 * step - 0.5
            first[j] = math.floor(centre) - 1
            for t in range(taps):
                weights[j, t] = cubic(centre - (first[j] + t))
    return first, weights
