"""The luma of a crop at half of its resolution."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

RED, GREEN, BLUE = 0.299, 0.587, 0.114
"""Weights of the luma (Rec. 601)."""


def _half_the_size(crop: Array, out: Array) -> None:
    if crop.shape[0] != 2 * out.shape[0] or crop.shape[1] != 2 * out.shape[1]:
        raise ValueError(f"'out' must have half the size of 'crop' (got {list(out.shape)} and {list(crop.shape)}).")


@checked(_half_the_size, crop="uint8 [H, W, 3]", out="float32 [h, w], written")
@kernel
def half_luma(crop: Array, out: Array) -> None:
    """Compute the luma of a crop at half of its resolution: the mean of 2 x 2 pixels.

    Args:
        crop: uint8 RGB [2 h, 2 w, 3].
        out: float32 [h, w] in [0, 1], written.
    """
    scale = 1.0 / (4.0 * 255.0)
    red, green, blue = np.float32(RED * scale), np.float32(GREEN * scale), np.float32(BLUE * scale)
    sums = np.empty(3 * crop.shape[1], np.uint16)
    for y in range(out.shape[0]):
        upper, lower, line = crop[2 * y].reshape(-1), crop[2 * y + 1].reshape(-1), out[y]
        for i in range(sums.size):
            sums[i] = np.uint16(upper[i]) + np.uint16(lower[i])
        for x in range(line.size):
            at = np.uint64(6 * x)
            r = sums[at] + sums[at + np.uint64(3)]
            g = sums[at + np.uint64(1)] + sums[at + np.uint64(4)]
            b = sums[at + np.uint64(2)] + sums[at + np.uint64(5)]
            line[x] = red * np.float32(r) + green * np.float32(g) + blue * np.float32(b)
