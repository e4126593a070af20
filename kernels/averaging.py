"""Sums of linear intensity over frames, in integers: exact in any order, so that a frame can be subtracted again."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.intensity import BLOCK, check_not_empty, check_table, look_up, mirrored
from streamdeblur.kernels.jit import Array, kernel


@checked(
    lambda image, *_: check_not_empty(image),
    image="uint8 [H, W, channels]", left="int", top="int", table="int32 [256]", total="int32 [h, w, channels], written",
)  # fmt: skip
@kernel
def add_intensity(image: Array, left: int, top: int, table: Array, total: Array) -> None:
    """Add the intensity of a view to a sum: ``total[y, x] += table[image[top + y, left + x]]``, mirrored beyond the border.

    image: uint8 [H, W, channels]; table: int32 [256], negated to subtract a frame; total: int32 [h, w, channels], changed in
    place. An intensity of 65535 leaves room for 32,767 frames.
    """
    channels, width, image_width = image.shape[2], total.shape[1], image.shape[1]
    begin = min(max(-left, 0), width)
    end = max(begin, min(width, image_width - left))
    samples = image.reshape((image.shape[0], channels * image_width))
    sums = total.reshape((total.shape[0], channels * width))
    for y in range(total.shape[0]):
        row, line = samples[mirrored(top + y, image.shape[0])], sums[y]
        source, target = row[channels * (left + begin) : channels * (left + end)], line[channels * begin : channels * end]
        for i in range(target.size):
            at = np.uint64(i)
            target[at] += table[np.uint64(source[at])]
        for x in range(begin + width - end):
            column = x if x < begin else x - begin + end
            from_x = channels * mirrored(left + column, image_width)
            for c in range(channels):
                line[channels * column + c] += table[row[from_x + c]]


@checked(
    lambda total, count, table, out: check_table(table),
    total="int32 [...]", count="int >= 1", table="uint8 [n]", out="uint8 [...], written",
)  # fmt: skip
@kernel
def mean_codes(total: Array, count: int, table: Array, out: Array) -> None:
    """Write the code values of the mean of `count` frames: ``out = table[round(total / count)]``, halves upwards, exact.

    total: int32, any shape, not negative; table: uint8 [n]; out: uint8 of the shape of `total`, written.
    """
    source, target = total.reshape(-1), out.reshape(-1)
    # a double is precise enough that its error never changes the rounding
    share, last = 1.0 / count, np.int32(table.size - 1)
    indices = np.empty(BLOCK, np.int32)
    for begin in range(0, source.size, BLOCK):
        part, codes = source[begin : begin + BLOCK], target[begin : begin + BLOCK]
        for i in range(part.size):
            indices[i] = max(np.int32(0), min(np.int32(part[i] * share + (0.5 + 1e-9)), last))
        look_up(indices, table, codes)
