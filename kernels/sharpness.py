"""A no-reference measure of the blur of a crop."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

BOX = 9
"""Length in samples of the box filter of Crete et al. 2007."""


def square_inside(crop: Array, begin: int, end: int, factor: int) -> None:
    """Raise ValueError where a square is not within a crop."""
    if not begin <= end <= min(crop.shape[:2]):
        raise ValueError(f"'begin' and 'end' must lie within the crop, {list(crop.shape)} (got {begin} and {end}).")


@kernel
def _sums_of_green(crop: Array, begin: int, size: int, factor: int) -> Array:
    """Sums of green over `factor` x `factor` pixels: float32 [size, size], which holds them exactly."""
    sums = np.zeros((size, size), np.float32)
    for y in range(size):
        for down in range(factor):
            line = begin + y * factor + down
            for x in range(size):
                for right in range(factor):
                    sums[y, x] += np.float32(crop[line, begin + x * factor + right, 1])
    return sums


@checked(square_inside, crop="uint8 [H, W, 3], strided", begin="int >= 0", end="int >= 0", factor="int >= 1")
@kernel
def reduced_luma(crop: Array, begin: int, end: int, factor: int) -> Array:
    """Reduce the green of a square of a crop by sums over ``factor`` x ``factor`` pixels.

    Args:
        crop: uint8 RGB [H, W, 3].
        begin: First line and column of the square.
        end: Line and column after its last.
        factor: Pixels per side of a sum.

    Returns:
        float32 [h, h], h = (end - begin) // factor. The scale does not matter to `blur_effect`.
    """
    return _sums_of_green(crop, begin, (end - begin) // factor, factor)


@kernel
def _blur_along_lines(luma: Array) -> float:
    before, after = (BOX + 1) // 2, BOX // 2
    total, lost = 0.0, 0.0
    for y in range(luma.shape[0]):
        line = luma[y]
        for i in range(before, line.size - after):
            change = abs(line[i] - line[i - 1])
            # neighbouring box averages differ by the samples that enter and leave
            smooth = abs(line[i + after] - line[i - before]) / BOX
            total += change
            lost += max(0.0, change - smooth)
    return 1.0 - lost / total if total > 0.0 else 1.0


@checked(luma="float32 [h, w], strided")
@kernel
def blur_effect(luma: Array) -> float:
    """Measure the blur of a picture, along its blurrier axis, by how little of its variation a box filter removes.

    After F. Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur metric", 2007.

    Args:
        luma: float32 [h, w].

    Returns:
        The blur in [0, 1]: 0 is sharp, 1 is smooth.
    """
    return max(_blur_along_lines(luma), _blur_along_lines(np.ascontiguousarray(luma.T)))
