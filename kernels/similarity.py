"""Similarity of two pictures."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

WINDOW = 7
"""Side of the square over which the statistics are taken."""
LUMINANCE, CONTRAST = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
"""C1 and C2 of Wang et al. 2004 for code values."""


@kernel
def _change_columns(first: Array, second: Array, sign: float, columns: Array) -> None:
    """Add (or with -1, take away) one line of both pictures to the sums over columns: float32 [5, width]."""
    by = np.float32(sign)
    one, two, squares, other_squares, products = columns[0], columns[1], columns[2], columns[3], columns[4]
    for x in range(first.size):
        a, b = np.float32(first[x]), np.float32(second[x])
        one[x] += by * a
        two[x] += by * b
        squares[x] += by * a * a
        other_squares[x] += by * b * b
        products[x] += by * a * b


@kernel
def _sum_windows(columns: Array, out: Array) -> None:
    """Mean of every `WINDOW` neighbours of a line of sums over as many lines."""
    share = np.float32(1.0 / (WINDOW * WINDOW))
    for x in range(out.size):
        middle = (columns[x + 2] + columns[x + 3]) + (columns[x + 4] + columns[x + 5])
        out[x] = share * ((columns[x] + columns[x + 1]) + middle + columns[x + 6])


def _hold_a_window(first: Array, second: Array) -> None:
    if min(first.shape) < WINDOW:
        raise ValueError(f"'first' must have {WINDOW} lines and columns or more (got {list(first.shape)}).")


@checked(_hold_a_window, first="uint8 [h, w], strided", second="uint8 [h, w], strided")
@kernel
def ssim(first: Array, second: Array) -> float:
    """Return the structural similarity of two gray pictures, 1 if they are equal (Wang et al. 2004, uniform windows of 7 x 7).

    first, second: uint8 [h, w], both sides at least 7. The mean over all windows that lie within the picture.
    """
    height, width = first.shape
    count = width - WINDOW + 1
    # sums of 49 squares of bytes are exact in float32, so no error accumulates as windows move on
    columns, means = np.zeros((5, width), np.float32), np.empty((5, count), np.float32)
    total = 0.0
    for y in range(height):
        _change_columns(first[y], second[y], 1.0, columns)
        if y >= WINDOW:
            _change_columns(first[y - WINDOW], second[y - WINDOW], -1.0, columns)
        if y < WINDOW - 1:
            continue
        for k in range(5):
            _sum_windows(columns[k], means[k])
        a, b, aa, bb, ab = means[0], means[1], means[2], means[3], means[4]
        row = np.float32(0.0)
        two = np.float32(2.0)
        for x in range(count):
            ma, mb = a[x], b[x]
            product, squares = ma * mb, ma * ma + mb * mb
            above = (two * product + LUMINANCE) * (two * (ab[x] - product) + CONTRAST)
            below = (squares + LUMINANCE) * (aa[x] + bb[x] - squares + CONTRAST)
            row += above / below
        total += float(row)
    return float(total / (count * (height - WINDOW + 1)))


@checked(first="uint8 [h, w, c], strided", second="uint8 [h, w, c], strided")
@kernel
def mean_square_difference(first: Array, second: Array) -> float:
    """Return the mean squared difference of two pictures, uint8 [h, w, c], in squared code values; exact."""
    height, width, channels = first.shape
    total = np.int64(0)
    for y in range(height):
        row = np.int64(0)
        for x in range(width):
            for c in range(channels):
                difference = np.int32(first[y, x, c]) - np.int32(second[y, x, c])
                row += difference * difference
        total += row
    mean: float = total / max(1, height * width * channels)
    return mean
