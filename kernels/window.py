"""The two pixel kernels: read a window of a frame as RGB, and add a residual back to its planes.

Both work on *components*. A component is one of Y, U, V (or R, G, B) in memory: ``planes[c]`` is a C-contiguous uint8 or
uint16 array [rows, samples per line], and ``layout[c]`` = (offset, stride, width, height, shift) locates its samples. Sample
(x, y) is ``planes[c][y, offset + x * stride]``, and its code value is the sample ``>> shift`` (p010le, for example, has code
values in the high bits). So planar, interleaved and packed formats of any depth take the same path.

``grid[c]`` = (origin_x, step_x, origin_y, step_y) maps one sampling grid to the other, in samples. A subsampled component has its
own grid.
"""

from __future__ import annotations

import math

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel
from streamdeblur.kernels.resampling import check_cells, make_taps
from streamdeblur.kernels.tensors import interleave

SAMPLES = "uint8|uint16 [*, *]"
"""A component in memory, whose size `layout` refers to."""


def _check_layout(name: str, layout: list[int], plane: Array) -> None:
    """Raise ValueError where a layout refers to samples that the plane does not have."""
    offset, stride, width, height, shift = layout
    lines, samples = plane.shape
    inside = offset >= 0 and stride >= 1 and width >= 1 and 1 <= height <= lines and offset + (width - 1) * stride < samples
    if not (inside and 0 <= shift < 8 * plane.itemsize):
        raise ValueError(
            f"'{name}' is (offset, stride, width, height, shift) = {layout}, which a plane of {lines} lines of {samples} "
            f"{plane.dtype} samples does not have."
        )


@kernel
def _gather_line(line: Array, layout: Array, weight: float, first: int, row: Array) -> None:
    """Add ``weight * samples[first : first + len(row)]`` of one line of a component to `row`."""
    offset, stride = layout[0], layout[1]
    begin = offset + first * stride
    if stride == 1:
        samples = line[begin : begin + row.size]
        for i in range(row.size):
            row[i] += weight * samples[i]
    else:
        samples = line[begin : begin + (row.size - 1) * stride + 1 : stride]
        for i in range(row.size):
            row[i] += weight * samples[i]


@kernel
def _resample_line(row: Array, first: Array, weights: Array, out: Array) -> None:
    """Horizontal taps of one line; `row` begins at source sample ``first[0]``."""
    taps = weights.shape[1]
    # unsigned indices need no test for negative ones
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    if taps == 4:
        # unrolled by hand: most windows have 4 taps, and LLVM does not unroll a loop of unknown length
        for j in range(out.size):
            i = np.uint64(first[j] - first[0])
            near = weights[j, one] * row[i + one] + weights[j, two] * row[i + two]
            out[j] = weights[j, 0] * row[i] + near + weights[j, three] * row[i + three]
    else:
        for j in range(out.size):
            i = np.uint64(first[j] - first[0])
            total = weights[j, 0] * row[i]
            for t in range(1, taps):
                total += weights[j, t] * row[i + np.uint64(t)]
            out[j] = total


@kernel
def _sample_line(
    plane: Array, layout: Array, first_y: int, weights_y: Array, first_x: Array, weights_x: Array, row: Array, out: Array
) -> None:
    """One output line of one component: vertical taps into `row`, border samples repeated, then horizontal taps."""
    width, height = layout[2], layout[3]
    begin = first_x[0]
    inside_begin = min(max(begin, 0), width - 1)
    inside_end = max(min(begin + row.size, width), inside_begin + 1)
    left = min(max(inside_begin - begin, 0), row.size - 1)
    right = min(max(inside_end - begin, left + 1), row.size)
    row[:] = 0.0
    inside = row[left:right]
    for t in range(weights_y.size):
        if weights_y[t] != 0.0:
            y = min(max(first_y + t, 0), height - 1)
            _gather_line(plane[y], layout, weights_y[t], inside_begin, inside)
    row[:left] = row[left]
    row[right:] = row[right - 1]
    _resample_line(row, first_x, weights_x, out)


@kernel
def _mix_line(lines: Array, to_rgb: Array, rgb: Array, out: Array) -> None:
    """Colour conversion of one line, float32 [3, width] to uint8 [width, 3], by way of `rgb`, uint8 [3, width]."""
    half, lowest, highest = np.float32(0.5), np.float32(0.0), np.float32(255.0)
    first, second, third = lines[0], lines[1], lines[2]
    for k in range(3):
        a, b, c, constant = to_rgb[k, 0], to_rgb[k, 1], to_rgb[k, 2], to_rgb[k, 3] + half
        channel = rgb[k]
        for x in range(first.size):
            channel[x] = np.int32(min(max(a * first[x] + b * second[x] + c * third[x] + constant, lowest), highest))
    interleave(rgb[0], rgb[1], rgb[2], out)


def _window_of_planes(planes: tuple[Array, Array, Array], layout: Array, grid: Array, to_rgb: Array, out: Array) -> None:
    height, width = out.shape[:2]
    if not out.size:
        raise ValueError("'out' must have a pixel.")
    for plane, place, (x, step_x, y, step_y) in zip(planes, layout.tolist(), grid.tolist(), strict=True):
        _check_layout("layout", place, plane)
        check_cells(width, x, step_x)
        check_cells(height, y, step_y)


@checked(
    _window_of_planes,
    planes=(SAMPLES, SAMPLES, SAMPLES), layout="int64 [3, 5]", grid="float64 [3, 4]", to_rgb="float32 [3, 4]",
    out="uint8 [height, width, 3], written",
)  # fmt: skip
@kernel
def crop_components(planes: tuple[Array, Array, Array], layout: Array, grid: Array, to_rgb: Array, out: Array) -> None:
    """Resample a window of a frame to RGB: area average when shrinking, Catmull-Rom cubic when enlarging.

    Args:
        planes: Three uint8 or uint16 arrays [rows, samples].
        layout: int64 [3, 5].
        grid: float64 [3, 4], where output pixel (0, 0) begins in each component, and how many samples an output pixel covers.
        to_rgb: float32 [3, 4], samples to RGB in [0, 255]; the last column is the constant.
        out: uint8 RGB [height, width, 3], written.
    """
    height, width = out.shape[0], out.shape[1]
    taps_x = (
        make_taps(width, grid[0, 0], grid[0, 1]),
        make_taps(width, grid[1, 0], grid[1, 1]),
        make_taps(width, grid[2, 0], grid[2, 1]),
    )
    taps_y = (
        make_taps(height, grid[0, 2], grid[0, 3]),
        make_taps(height, grid[1, 2], grid[1, 3]),
        make_taps(height, grid[2, 2], grid[2, 3]),
    )
    longest = 0
    for c in range(3):
        first, weights = taps_x[c]
        longest = max(longest, first[width - 1] - first[0] + weights.shape[1])
    row = np.empty(longest, np.float32)
    lines, rgb = np.empty((3, width), np.float32), np.empty((3, width), np.uint8)
    for y in range(height):
        for c in range(3):
            first_x, weights_x = taps_x[c]
            first_y, weights_y = taps_y[c]
            span = first_x[width - 1] - first_x[0] + weights_x.shape[1]
            _sample_line(planes[c], layout[c], first_y[y], weights_y[y], first_x, weights_x, row[:span], lines[c])
        _mix_line(lines, to_rgb, rgb, out[y])


def _window_of_component(plane: Array, layout: Array, grid: Array, out: Array) -> None:
    if not out.size:
        raise ValueError("'out' must have a pixel.")
    _check_layout("layout", layout.tolist(), plane)
    for count, origin, step in zip(out.shape[::-1], grid[::2].tolist(), grid[1::2].tolist(), strict=True):
        check_cells(count, origin, step)


@checked(
    _window_of_component, plane=SAMPLES, layout="int64 [5]", grid="float64 [4]", out="float32 [height, width], written",
)  # fmt: skip
@kernel
def sample_component(plane: Array, layout: Array, grid: Array, out: Array) -> None:
    """Resample a window of one component, as `crop_components` does.

    Args:
        plane: uint8 or uint16 [rows, samples].
        layout: int64 [5].
        grid: float64 [4], where output pixel (0, 0) begins, and how many samples an output pixel covers.
        out: float32 [height, width] in samples, written.
    """
    height, width = out.shape
    first_x, weights_x = make_taps(width, grid[0], grid[1])
    first_y, weights_y = make_taps(height, grid[2], grid[3])
    row = np.empty(first_x[width - 1] - first_x[0] + weights_x.shape[1], np.float32)
    for y in range(height):
        _sample_line(plane, layout, first_y[y], weights_y[y], first_x, weights_x, row, out[y])


@checked(position="float", width="float > 0")
@kernel
def feather(position: float, width: float) -> float:
    """Weight of the mask at `position` in [0, 1] across a window: 0 at its edges, 1 from `width` inwards (smoothstep)."""
    t = min(position, 1.0 - position) / width
    if t <= 0.0:
        return 0.0
    if t >= 1.0:
        return 1.0
    return t * t * (3.0 - 2.0 * t)


@kernel
def _mask_line(begin: int, count: int, origin: float, step: float, width: float) -> Array:
    """Feather weights float32 [count] of samples ``begin ...``, whose centres map to ``origin + (i + 0.5) * step``."""
    mask = np.empty(count, np.float32)
    for i in range(count):
        mask[i] = feather(origin + (begin + i + 0.5) * step, width)
    return mask


@kernel
def _add_line(line: Array, layout: Array, begin: int, delta: Array, maximum: int) -> None:
    """Add `delta` (code values) to samples ``begin ...`` of a line, rounded and clipped to [0, maximum]."""
    offset, stride, shift = layout[0], layout[1], layout[4]
    half, lowest, highest = np.float32(0.5), np.float32(0.0), np.float32(maximum)
    start = offset + begin * stride
    if stride == 1 and shift == 0:
        samples = line[start : start + delta.size]
        for i in range(delta.size):
            # truncation rounds to nearest, because the clipped value is never negative
            samples[i] = np.int32(min(max(np.float32(samples[i]) + delta[i] + half, lowest), highest))
    else:
        spaced = line[start : start + (delta.size - 1) * stride + 1 : stride]
        for i in range(delta.size):
            spaced[i] = np.int32(min(max(np.float32(spaced[i] >> shift) + delta[i] + half, lowest), highest)) << shift


def _paste_inside(plane: Array, layout: Array, grid: Array, residual: Array, width: float, windows: Array, maximum: int) -> None:
    _check_layout("layout", layout.tolist(), plane)
    if not residual.size:
        raise ValueError("'residual' must have a pixel.")
    for origin, step in (grid[:2].tolist(), grid[2:].tolist()):
        # the samples that the crop covers, and the crop's pixels that a sample covers
        check_cells(1, 0.0, step)
        check_cells(residual.shape[0], origin / step, 1.0 / step)
    if not np.isfinite(windows).all():
        raise ValueError("'windows' must be finite.")
    if maximum >> 8 * plane.itemsize - int(layout[4]):
        raise ValueError(f"'maximum' must fit into samples of {plane.dtype} with a shift of {layout[4]} (got {maximum}).")


@checked(
    _paste_inside,
    plane=f"{SAMPLES}, written", layout="int64 [5]", grid="float64 [4]", residual="float32 [size, size]", width="float > 0",
    windows="float64 [n, 4]", maximum="int >= 1",
)  # fmt: skip
@kernel
def paste_component(
    plane: Array, layout: Array, grid: Array, residual: Array, width: float, windows: Array, maximum: int
) -> None:
    """Add a feathered residual to one component of a frame, in place; where masks overlap, they are scaled to sum to 1.

    Args:
        plane: The component, uint8 or uint16 [rows, samples].
        layout: int64 [5].
        grid: float64 [4], the crop coordinate where sample (0, 0) begins, and crop pixels per sample, for x, then y.
        residual: float32 [size, size], in code values.
        width: Width of the feather as a fraction of the window.
        windows: float64 [n, 4], (origin_x, step_x, origin_y, step_y) of the other windows in the frame, in units of their side.
        maximum: Largest code value.
    """
    size = residual.shape[0]
    begin_x = max(0, math.ceil(-grid[0] / grid[1] - 0.5))
    end_x = min(layout[2], math.floor((size - grid[0]) / grid[1] + 0.5))
    begin_y = max(0, math.ceil(-grid[2] / grid[3] - 0.5))
    end_y = min(layout[3], math.floor((size - grid[2]) / grid[3] + 0.5))
    if end_x <= begin_x or end_y <= begin_y:
        return
    count = end_x - begin_x
    first_x, weights_x = make_taps(count, grid[0] + begin_x * grid[1], grid[1])
    first_y, weights_y = make_taps(end_y - begin_y, grid[2] + begin_y * grid[3], grid[3])
    mask_x = _mask_line(begin_x, count, grid[0] / size, grid[1] / size, width)
    mask_y = _mask_line(begin_y, end_y - begin_y, grid[2] / size, grid[3] / size, width)
    others_x = np.empty((windows.shape[0], count), np.float32)
    for n in range(windows.shape[0]):
        others_x[n] = _mask_line(begin_x, count, windows[n, 0], windows[n, 1], width)
    source = np.array([0, 1, size, size, 0], np.int64)
    row = np.empty(first_x[count - 1] - first_x[0] + weights_x.shape[1], np.float32)
    delta = np.empty(count, np.float32)
    total = np.empty(count, np.float32)
    for y in range(begin_y, end_y):
        if mask_y[y - begin_y] == 0.0:
            continue
        _sample_line(residual, source, first_y[y - begin_y], weights_y[y - begin_y], first_x, weights_x, row, delta)
        for i in range(count):
            total[i] = mask_x[i] * mask_y[y - begin_y]
            delta[i] *= total[i]
        for n in range(windows.shape[0]):
            other_y = np.float32(feather(windows[n, 2] + (y + 0.5) * windows[n, 3], width))
            if other_y > 0.0:
                for i in range(count):
                    total[i] += others_x[n, i] * other_y
        if windows.shape[0] > 0:
            for i in range(count):
                if total[i] > 1.0:
                    delta[i] /= total[i]
        _add_line(plane[y], layout, begin_x, delta, maximum)


@checked(
    restored="uint8 [H, W, 3]", crop="uint8 [H, W, 3]", from_rgb="float32 [3, 3]", out="float32 [3, H, W], written",
)  # fmt: skip
@kernel
def residual_components(restored: Array, crop: Array, from_rgb: Array, out: Array) -> None:
    """Compute the residual of each component: ``out[c] = from_rgb[c] . (restored - crop)``.

    Args:
        restored: uint8 RGB [size, size, 3].
        crop: uint8 RGB [size, size, 3].
        from_rgb: float32 [3, 3], a difference in RGB in [0, 255] to one in code values, times the strength.
        out: float32 [3, size, size], written.
    """
    pixels = crop.shape[0] * crop.shape[1]
    after, before = restored.reshape(-1), crop.reshape(-1)
    planes = out.reshape((3, pixels))
    first, second, third = planes[0], planes[1], planes[2]
    for i in range(pixels):
        at = np.uint64(3 * i)
        red = np.float32(after[at]) - np.float32(before[at])
        green = np.float32(after[at + np.uint64(1)]) - np.float32(before[at + np.uint64(1)])
        blue = np.float32(after[at + np.uint64(2)]) - np.float32(before[at + np.uint64(2)])
        first[i] = from_rgb[0, 0] * red + from_rgb[0, 1] * green + from_rgb[0, 2] * blue
        second[i] = from_rgb[1, 0] * red + from_rgb[1, 1] * green + from_rgb[1, 2] * blue
        third[i] = from_rgb[2, 0] * red + from_rgb[2, 1] * green + from_rgb[2, 2] * blue
