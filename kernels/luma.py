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


@checked(luma="float32 [h, w]", out="float32 [rows, columns], written")
@kernel
def block_means(luma: Array, out: Array) -> None:
    """Reduce a picture to the means of its blocks, of which each has ``h // rows`` x ``w // columns`` pixels.

    Args:
        luma: float32 [h, w].
        out: float32 [rows, columns], written; NaN where a block has no pixels.
    """
    height, width = luma.shape[0] // out.shape[0], luma.shape[1] // out.shape[1]
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            total = np.float32(0.0)
            for y in range(row * height, (row + 1) * height):
                line = luma[y, column * width : (column + 1) * width]
                for x in range(line.size):
                    total += line[x]
            out[row, column] = total / np.float32(height * width)


@checked(first="float32 [h, w]", second="float32 [h, w]")
@kernel
def correlation(first: Array, second: Array) -> float:
    """Return the coefficient of correlation of two pictures, float32 [h, w], in [-1, 1]; 0 where one is flat."""
    a, b = first.reshape(-1), second.reshape(-1)
    mean_a, mean_b = 0.0, 0.0
    for i in range(a.size):
        mean_a += a[i] / a.size
        mean_b += b[i] / a.size
    product, power_a, power_b = 0.0, 0.0, 0.0
    for i in range(a.size):
        x, y = a[i] - mean_a, b[i] - mean_b
        product += x * y
        power_a += x * x
        power_b += y * y
    power = np.sqrt(power_a * power_b)
    return product / power if power > 1e-12 else 0.0


@checked(first="float32 [h, w]", second="float32 [h, w]")
@kernel
def mean_difference(first: Array, second: Array) -> float:
    """Return the mean absolute difference of two pictures, float32 [h, w]; 0 where they have no pixels."""
    a, b, total = first.reshape(-1), second.reshape(-1), np.float32(0.0)
    for i in range(a.size):
        total += abs(a[i] - b[i])
    return float(total) / max(1, a.size)
