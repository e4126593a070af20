"""How blurred a crop is, without a reference."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.jit import Array, kernel

BOX = 9
"""Samples of the box filter that the picture is compared with (Crete et al. 2007)."""


@kernel
def reduced_luma(crop: Array, begin: int, end: int, factor: int) -> Array:
    """Green of the square ``[begin, end)`` of a crop (uint8 [H, W, 3]), averaged over factor x factor: float32 [h, h]."""
    size = (end - begin) // factor
    luma = np.zeros((size, size), np.float32)
    for y in range(size * factor):
        for x in range(size * factor):
            luma[y // factor, x // factor] += crop[begin + y, begin + x, 1]
    return luma


@kernel
def _blur_along_lines(luma: Array) -> float:
    before, after = (BOX + 1) // 2, BOX // 2
    total, lost = 0.0, 0.0
    for y in range(luma.shape[0]):
        line = luma[y]
        for i in range(before, line.size - after):
            change = abs(line[i] - line[i - 1])
            # Neighbouring box averages differ by the samples that enter and leave.
            smooth = abs(line[i + after] - line[i - before]) / BOX
            total += change
            lost += max(0.0, change - smooth)
    return 1.0 - lost / total if total > 0.0 else 1.0


@kernel
def blur_effect(luma: Array) -> float:
    """Blur of a picture in [0, 1]: how much of its variation, along its blurrier axis, a box blur would leave.

    0 is sharp, 1 smooth (F. Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", 2007). luma: float32 [h, w].
    """
    return max(_blur_along_lines(luma), _blur_along_lines(np.ascontiguousarray(luma.T)))
