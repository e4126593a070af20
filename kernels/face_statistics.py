"""Statistics of a face from which the gain of restoring it is estimated: how it varies over lengths and directions."""

from __future__ import annotations

import math

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel
from streamdeblur.kernels.sharpness import _sums_of_green, square_inside

LAGS = (1, 2, 3, 5, 8)
"""Distances in samples over which differences are taken."""
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Lines and columns from one sample to the other, at a distance of 1."""
BLOCK = 8
"""Side in samples of the blocks in which noise and edges are measured."""
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Blocks are sorted, and those at these shares are taken: the flattest show the noise, the richest the edges."""
STEEPEST = (0.05, 0.15, 0.4)
"""Shares of the blocks with the highest contrast, of which the steepness of edges is taken."""
CONTRAST_FLOOR = 2.0
"""Added to the contrast of a block, in code values, so that noise on flat skin is no edge."""
NAMES = (
    *(f"{name} at {lag}" for lag in LAGS for name in ("least", "most", "mean", "weakest", "peaks", "mean peaks", "most peaks")),
    *(f"{name} of {share:.0%}" for name in ("noise", "edges") for share in SHARES),
    "contrast", "brightness",
    *(f"{name} of {share:.0%}" for share in STEEPEST for name in ("steepness, less", "steepness, more", "steepest")),
    "contrast of blocks",
)  # fmt: skip
"""What the statistics are, in their order."""
MEASURES = 8 * len(LAGS) + 2 * len(SHARES) + 2 + 3 * len(STEEPEST) + 1
"""Numbers that they are computed from."""
SMALLEST = 24
"""Side in samples of the smallest face: with fewer, the longest differences are of hardly anything."""

DIFFERENCE_FLOOR, ENERGY_FLOOR = 0.05, 0.02
"""Added to squares of code values before their logarithm: less than rounding to code values adds."""


def _face_inside(crop: Array, begin: int, end: int, factor: int) -> None:
    square_inside(crop, begin, end, factor)
    if (end - begin) // factor < SMALLEST:
        raise ValueError(f"A face needs {SMALLEST} samples along each side (got {(end - begin) // factor}).")


@kernel
def _moments(luma: Array, down: int, right: int) -> tuple[float, float]:
    """Mean square, and mean fourth power, of the differences between samples at a distance."""
    lines, columns = luma.shape[0] - down, luma.shape[1] - abs(right)
    here, there = max(0, -right), max(0, right)
    second, fourth = 0.0, 0.0
    for y in range(lines):
        squares, powers = np.float32(0), np.float32(0)
        for x in range(columns):
            change = luma[y + down, x + there] - luma[y, x + here]
            square = change * change
            squares += square
            powers += square * square
        second += float(squares)
        fourth += float(powers)
    return second / (lines * columns), fourth / (lines * columns)


@kernel
def _block_energies(luma: Array, noise: Array, edges: Array) -> None:
    """Mean square in each block of a mask that smooth pictures vanish under (Immerkaer 1996), and of the gradient."""
    count = (luma.shape[0] - 2) // BLOCK
    for row in range(count):
        for column in range(count):
            fine, coarse = np.float32(0), np.float32(0)
            for y in range(row * BLOCK + 1, row * BLOCK + BLOCK + 1):
                for x in range(column * BLOCK + 1, column * BLOCK + BLOCK + 1):
                    above = luma[y - 1, x - 1] - np.float32(2) * luma[y - 1, x] + luma[y - 1, x + 1]
                    middle = luma[y, x - 1] - np.float32(2) * luma[y, x] + luma[y, x + 1]
                    below = luma[y + 1, x - 1] - np.float32(2) * luma[y + 1, x] + luma[y + 1, x + 1]
                    masked = above - np.float32(2) * middle + below
                    across, along = luma[y, x + 1] - luma[y, x - 1], luma[y + 1, x] - luma[y - 1, x]
                    fine += masked * masked
                    coarse += across * across + along * along
            noise[row * count + column] = fine / np.float32(36 * BLOCK * BLOCK)
            edges[row * count + column] = coarse / np.float32(BLOCK * BLOCK)


@kernel
def _spread(luma: Array, measures: Array) -> None:
    """Mean squares, then mean fourth powers, of the differences over each lag along each direction."""
    for i in range(len(LAGS)):
        for j in range(4):
            second, fourth = _moments(luma, DIRECTIONS[j][0] * LAGS[i], DIRECTIONS[j][1] * LAGS[i])
            measures[4 * i + j], measures[4 * (len(LAGS) + i) + j] = second, fourth


@kernel
def _extremes_and_mean(values: Array) -> tuple[int, int, float]:
    """The places of the smallest and of the largest value, and the mean.

    NumPy's functions would do, but with them Numba imports SciPy's linear algebra whenever it loads the compiled kernel.
    """
    least, most, total = 0, 0, 0.0
    for n in range(values.size):
        total += values[n]
        if values[n] < values[least]:
            least = n
        if values[n] > values[most]:
            most = n
    return least, most, total / values.size


@kernel
def _deviation_and_mean(values: Array) -> tuple[float, float]:
    """Their standard deviation and mean; see `_extremes_and_mean`."""
    total = 0.0
    for value in values:
        total += value
    mean = total / values.size
    squares = 0.0
    for value in values:
        squares += (value - mean) ** 2
    return math.sqrt(squares / values.size), mean


@kernel
def _statistics_of_spread(measures: Array, out: Array) -> None:
    """How large the differences along each direction over each lag are, and by how much the largest of them stand out."""
    sizes, peaks = np.empty((len(LAGS), 4)), np.empty((len(LAGS), 4))
    for i in range(len(LAGS)):
        for j in range(4):
            second, fourth = measures[4 * i + j], measures[4 * (len(LAGS) + i) + j]
            sizes[i, j] = math.log2(second + DIFFERENCE_FLOOR)
            peaks[i, j] = math.log2(fourth + DIFFERENCE_FLOOR * DIFFERENCE_FLOOR) - 2.0 * sizes[i, j]
    # the direction of the blur is that in which samples two apart differ least
    weakest, _, _ = _extremes_and_mean(sizes[1])
    for i in range(len(LAGS)):
        least, most, mean = _extremes_and_mean(sizes[i])
        out[7 * i], out[7 * i + 1], out[7 * i + 2] = sizes[i, least], sizes[i, most], mean
        out[7 * i + 3] = sizes[i, weakest]
        _, most, mean = _extremes_and_mean(peaks[i])
        out[7 * i + 4], out[7 * i + 5], out[7 * i + 6] = peaks[i, least], mean, peaks[i, most]


@kernel
def _sorted_energies(energies: Array, measures: Array) -> None:
    ordered = np.sort(energies)
    for n in range(len(SHARES)):
        measures[n] = ordered[int(SHARES[n] * (ordered.size - 1))]


@kernel
def _block_edges(luma: Array, contrast: Array, steepness: Array) -> None:
    """The range of the samples in each block, and the largest step along columns and along lines as a share of it."""
    count = luma.shape[0] // BLOCK
    for row in range(count):
        for column in range(count):
            least = most = luma[row * BLOCK, column * BLOCK]
            down, right = np.float32(0), np.float32(0)
            for y in range(row * BLOCK, (row + 1) * BLOCK):
                for x in range(column * BLOCK, (column + 1) * BLOCK):
                    least, most = min(least, luma[y, x]), max(most, luma[y, x])
                for x in range(column * BLOCK + 1, (column + 1) * BLOCK):
                    right = max(right, abs(luma[y, x] - luma[y, x - 1]))
            for y in range(row * BLOCK + 1, (row + 1) * BLOCK):
                for x in range(column * BLOCK, (column + 1) * BLOCK):
                    down = max(down, abs(luma[y, x] - luma[y - 1, x]))
            block = row * count + column
            contrast[block] = most - least
            steepness[block, 0] = down / (most - least + np.float32(CONTRAST_FLOOR))
            steepness[block, 1] = right / (most - least + np.float32(CONTRAST_FLOOR))


@kernel
def _edges(luma: Array, measures: Array) -> None:
    """How steep the edges of the blocks with the highest contrast are, along both axes, and how high that contrast is."""
    count = (luma.shape[0] // BLOCK) ** 2
    contrast, steepness = np.empty(count, np.float32), np.empty((count, 2), np.float32)
    _block_edges(luma, contrast, steepness)
    order = np.argsort(-contrast, kind="mergesort")
    for n in range(len(STEEPEST)):
        taken = max(1, int(STEEPEST[n] * count))
        down, right, most = 0.0, 0.0, 0.0
        for block in order[:taken]:
            down += steepness[block, 0]
            right += steepness[block, 1]
            most = max(most, steepness[block, 0], steepness[block, 1])
        measures[3 * n], measures[3 * n + 1], measures[3 * n + 2] = min(down, right) / taken, max(down, right) / taken, most
    measures[3 * len(STEEPEST)] = contrast[order[int(0.05 * count)]]


def _one_of_each(measures: Array) -> None:
    if measures.shape != (MEASURES,):
        raise ValueError(f"A face has {MEASURES} measures (got {list(measures.shape)}).")


@checked(_one_of_each, measures="float64 [n]")
@kernel
def statistics_of(measures: Array) -> Array:
    """Compute the statistics of a face from what was measured of it, here or on a GPU.

    Args:
        measures: float64 [MEASURES]: mean squares and fourth powers of differences for each lag and direction, noise and edges
            of blocks at `SHARES`, deviation and mean of the samples, steepness for each of `STEEPEST`, contrast of blocks.

    Returns:
        As `face_statistics`.
    """
    out = np.empty(len(NAMES))
    _statistics_of_spread(measures, out)
    place, source = 7 * len(LAGS), 8 * len(LAGS)
    for n in range(2 * len(SHARES)):
        out[place + n] = math.log2(measures[source + n] + ENERGY_FLOOR)
    place, source = place + 2 * len(SHARES), source + 2 * len(SHARES)
    out[place], out[place + 1] = math.log2(measures[source] + 0.1), math.log2(measures[source + 1] + 1.0)
    out[place + 2 : -1] = measures[source + 2 : -1]
    out[-1] = math.log2(measures[-1] + 1.0)
    return out


@checked(_face_inside, crop="uint8 [H, W, 3], strided", begin="int >= 0", end="int >= 0", factor="int >= 1")
@kernel
def face_statistics(crop: Array, begin: int, end: int, factor: int) -> Array:
    """Measure the green of the face in a crop.

    Args:
        crop: uint8 RGB [H, W, 3].
        begin: First line and column of the face.
        end: Line and column after its last.
        factor: Pixels per side of a sample, whose mean is taken.

    Returns:
        The statistics that `NAMES` lists, float64: logarithms to base 2 of squares of code values, and shares.
    """
    # means, as code values
    luma = _sums_of_green(crop, begin, (end - begin) // factor, factor) * np.float32(1.0 / (factor * factor))
    measures = np.empty(MEASURES)
    _spread(luma, measures)
    place = 8 * len(LAGS)
    blocks = (luma.shape[0] - 2) // BLOCK
    noise, edges = np.empty(blocks * blocks, np.float32), np.empty(blocks * blocks, np.float32)
    _block_energies(luma, noise, edges)
    _sorted_energies(noise, measures[place:])
    _sorted_energies(edges, measures[place + len(SHARES) :])
    place += 2 * len(SHARES)
    measures[place], measures[place + 1] = _deviation_and_mean(luma.reshape(-1))
    _edges(luma, measures[place + 2 :])
    return statistics_of(measures)
