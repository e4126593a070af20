"""Conversion between code values and linear intensity: views of an image through a response's table, and back.

A *view* is a rectangle of an image that may exceed its border, where the image is mirrored (the border line itself is not
repeated).
"""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

BLOCK = 1024
"""Samples worked on at a time: they stay in the fastest cache."""
LONGEST_TABLE = 1 << 16
"""Entries that a 16-bit index can tell apart."""


@checked(index="int", size="int >= 1")
@kernel
def mirrored(index: int, size: int) -> int:
    """Return the index within [0, size) of a sample mirrored any number of times at the first and last samples."""
    if size == 1:
        return 0
    period = 2 * size - 2
    inside = index % period
    return inside if inside < size else period - inside


@kernel
def _columns(left: int, width: int, image_width: int) -> tuple[int, int]:
    """Return the first and last (exclusive) column of a view that lie within the image."""
    begin = min(max(-left, 0), width)
    return begin, max(begin, min(width, image_width - left))


def check_not_empty(image: Array) -> None:
    """Check that an image has a pixel to mirror.

    Raises:
        ValueError: It has none.
    """
    if not image.size:
        raise ValueError(f"'image' must have a pixel (got {list(image.shape)}).")


@checked(
    lambda image, *_: check_not_empty(image),
    image="uint8 [H, W, 3], strided", left="int", top="int", table="Kind [256]", out="Kind [h, w, 3], written",
)  # fmt: skip
@kernel
def read_intensity(image: Array, left: int, top: int, table: Array, out: Array) -> None:
    """Read the linear intensity of a view: ``out[y, x] = table[image[top + y, left + x]]``, mirrored beyond the border.

    image: uint8 [H, W, 3]; table: [256] of any kind; out: [h, w, 3] of the table's kind, contiguous, written.
    """
    width, image_width = out.shape[1], image.shape[1]
    begin, end = _columns(left, width, image_width)
    outside = np.empty(begin + width - end, np.int64)
    for x in range(outside.size):
        outside[x] = mirrored(left + (x if x < begin else x - begin + end), image_width)
    samples = np.ascontiguousarray(image).reshape((image.shape[0], 3 * image_width))
    results = out.reshape((out.shape[0], 3 * width))
    for y in range(out.shape[0]):
        row, line = samples[mirrored(top + y, image.shape[0])], results[y]
        source, target = row[3 * (left + begin) : 3 * (left + end)], line[3 * begin : 3 * end]
        for i in range(target.size):
            at = np.uint64(i)
            target[at] = table[np.uint64(source[at])]
        for x in range(outside.size):
            column = x if x < begin else x - begin + end
            for c in range(3):
                line[3 * column + c] = table[np.uint64(row[3 * outside[x] + c])]


def _inside_table(indices: Array, table: Array, out: Array) -> None:
    if indices.size and not 0 <= indices.min() <= indices.max() < table.size:
        raise ValueError(f"'indices' must be 0 to {table.size - 1} (got {indices.min()} to {indices.max()}).")


@checked(_inside_table, indices="uint8|uint16|int32|int64 [n]", table="uint8 [m]", out="uint8 [n], written")
@kernel
def look_up(indices: Array, table: Array, out: Array) -> None:
    """Look up ``out = table[indices]``: integers [n] of any kind, not negative."""
    for i in range(out.size):
        at = np.uint64(i)
        out[at] = table[np.uint64(indices[at])]


def check_table(table: Array) -> None:
    """Check a table whose indices are 16-bit numbers.

    Raises:
        ValueError: It is empty or longer.
    """
    if not 1 <= table.size <= LONGEST_TABLE:
        raise ValueError(f"'table' must have 1 to {LONGEST_TABLE} entries (got {table.size}).")


@checked(
    lambda intensity, scale, table, out: check_table(table),
    intensity="float32 [...]", scale="float", table="uint8 [n]", out="uint8 [...], written",
)  # fmt: skip
@kernel
def write_codes(intensity: Array, scale: float, table: Array, out: Array) -> None:
    """Write the code values of linear intensities, clipped and rounded: ``out = table[intensity * scale]``.

    intensity: float32, any shape; scale: intensity to indices of the table; table: uint8 [n], n <= 65536; out: uint8 of the
    shape of `intensity`, written.
    """
    source, target = intensity.reshape(-1), out.reshape(-1)
    factor, half, last, none = np.float32(scale), np.float32(0.5), np.float32(table.size - 1), np.float32(0.0)
    indices = np.empty(BLOCK, np.uint16)
    for begin in range(0, source.size, BLOCK):
        part = source[begin : begin + BLOCK]
        # this loop is vectorised, looking up cannot be
        for i in range(part.size):
            # in this order NaN becomes the first index
            indices[i] = np.int32(min(max(none, part[i] * factor + half), last))
        look_up(indices, table, target[begin : begin + BLOCK])
