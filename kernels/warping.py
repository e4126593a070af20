"""Pictures under a camera that moves, turns and zooms a little."""

from __future__ import annotations

import math

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

ROUNDING = 1e-6
"""Pixels by which positions must lie inside of a picture, more than they are off by rounding."""


def _check_poses(poses: Array) -> None:
    if poses.shape[0] < 2 or not np.isfinite(poses).all():
        raise ValueError(f"'poses' must be 2 or more, of finite numbers (got {list(poses.shape)}).")


def _poses_and_frames(poses: Array, corner: float, longest: float, counts: Array) -> None:
    _check_poses(poses)
    if not counts.size:
        raise ValueError("'counts' must have a frame.")


@checked(
    _poses_and_frames,
    poses="float32 [points, 4]", corner="float >= 0", longest="float > 0", counts="int64 [frames], written",
)  # fmt: skip
@kernel
def count_steps(poses: Array, corner: float, longest: float, counts: Array) -> None:
    """Count how often each frame of an exposure must be added so that no pixel moves further than `longest` in between.

    poses: float32 [points, 4] of the camera, x, y (pixels), angle (radians) and logarithm of the zoom, at equal intervals
    over the exposure; corner: pixels from the centre of turning to a corner; counts: int64 [frames], written, 1 or more each.
    """
    last, frames = poses.shape[0] - 1, counts.size
    travelled, border = 0.0, 0.0
    frame = 0
    for i in range(last):
        x, y = poses[i + 1, 0] - poses[i, 0], poses[i + 1, 1] - poses[i, 1]
        turned = abs(poses[i + 1, 2] - poses[i, 2]) + abs(poses[i + 1, 3] - poses[i, 3])
        length = math.sqrt(x * x + y * y) + corner * turned
        # a stretch may reach into the next frame, or span several
        while frame < frames and (frame + 1) * last <= (i + 1) * frames:
            end = travelled + length * ((frame + 1) * last / frames - i)
            counts[frame] = max(1, math.ceil((end - border) / longest))
            border = end
            frame += 1
        travelled += length


def _matrices_for_counts(poses: Array, counts: Array, middle_x: float, middle_y: float, origin: float, out: Array) -> None:
    _check_poses(poses)
    if not counts.size or counts.min() < 0 or counts.sum() != out.shape[0]:
        raise ValueError(f"'counts' must be 0 or more and sum to {out.shape[0]}, the length of 'out' (got {counts.tolist()}).")


@checked(
    _matrices_for_counts,
    poses="float32 [points, 4]", counts="int64 [frames]", middle_x="float", middle_y="float", origin="float",
    out="float64 [n, 2, 3], written",
)  # fmt: skip
@kernel
def path_matrices(poses: Array, counts: Array, middle_x: float, middle_y: float, origin: float, out: Array) -> None:
    """Compute the position that each pixel of a picture shows, for each pose of a camera's path at which a frame is added.

    Args:
        poses: See `count_steps`.
        counts: See `count_steps`.
        middle_x: Column of the pixel about which the picture is turned and zoomed.
        middle_y: Its line.
        origin: Pixels by which the source picture begins before it, left and above.
        out: float64 [sum(counts), 2, 3], written.
    """
    last, frames = poses.shape[0] - 1, counts.size
    n = 0
    for frame in range(frames):
        for k in range(counts[frame]):
            at = (frame + (k + 0.5) / counts[frame]) * last / frames
            i = min(int(at), last - 1)
            share = at - i
            pose = (1.0 - share) * poses[i] + share * poses[i + 1]
            zoom = math.exp(pose[3])
            cosine, sine = zoom * math.cos(pose[2]), zoom * math.sin(pose[2])
            out[n, 0, 0], out[n, 0, 1] = cosine, -sine
            out[n, 1, 0], out[n, 1, 1] = sine, cosine
            out[n, 0, 2] = middle_x - cosine * middle_x + sine * middle_y + pose[0] + origin
            out[n, 1, 2] = middle_y - sine * middle_x - cosine * middle_y + pose[1] + origin
            n += 1


@checked(width="int >= 0")
@kernel
def pixel_numbers(width: int) -> Array:
    """Return the pixel that each sample of a line of RGB belongs to: float32 [3 * width], 0 0 0 1 1 1 ..."""
    numbers = np.empty(3 * width, np.float32)
    for x in range(width):
        numbers[3 * x : 3 * x + 3] = x
    return numbers


@kernel
def _steady(fraction: float, slope: float) -> float:
    """Return how many pixels further a position's fraction, now in [0, 1), stays there when it changes by `slope` per pixel."""
    if slope > 0.0:
        return (1.0 - fraction) / slope
    if slope < 0.0:
        return -fraction / slope
    return 1e9


@kernel
def _add_run(
    above: Array, below: Array, numbers: Array, right: float, right_step: float, down: float, down_step: float, weight: float,
    total: Array,
) -> None:  # fmt: skip
    """Add the samples of a run of pixels, whose positions keep their whole parts, to a line.

    above, below: float32 [3 * (n + 1)], the lines on either side; numbers: `pixel_numbers`; right, down: fractions of the
    first pixel's position, and their change per pixel; total: float32 [3 * n], changed in place.
    """
    first_x, step_x = np.float32(right), np.float32(right_step)
    first_y, step_y = np.float32(down), np.float32(down_step)
    share = np.float32(weight)
    above_next, below_next = above[3:], below[3:]
    for i in range(total.size):
        x, y = first_x + step_x * numbers[i], first_y + step_y * numbers[i]
        upper = above[i] + x * (above_next[i] - above[i])
        lower = below[i] + x * (below_next[i] - below[i])
        total[i] += share * (upper + y * (lower - upper))


@kernel
def _add_line(lines: Array, matrix: Array, y: int, numbers: Array, weight: float, line: Array) -> None:
    """Add line y of `add_warped` for one pose."""
    width = line.size // 3
    slope_x, slope_y = matrix[0, 0] - 1.0, matrix[1, 0]
    start_x = matrix[0, 1] * y + matrix[0, 2]
    start_y = matrix[1, 1] * y + matrix[1, 2]
    x = 0
    while x < width:
        at_x, at_y = start_x + matrix[0, 0] * x, start_y + slope_y * x
        column, row = math.floor(at_x), math.floor(at_y)
        right, down = at_x - column, at_y - row
        steady = min(_steady(right, slope_x), _steady(down, slope_y))
        count = min(width - x, max(1, math.ceil(steady)))
        begin, end = 3 * column, 3 * (column + count + 1)
        run = line[3 * x : 3 * (x + count)]
        _add_run(lines[row, begin:end], lines[row + 1, begin:end], numbers, right, slope_x, down, slope_y, weight, run)
        x += count


def _positions_inside(intensity: Array, matrices: Array, numbers: Array, weight: float, total: Array) -> None:
    height, width = total.shape[:2]
    if numbers.size != 3 * width:
        raise ValueError(f"'numbers' must be pixel_numbers({width}) (got {numbers.size} of them).")
    # positions are linear, so all lie inside where those of the corners do
    corners = np.array([(0.0, width - 1.0, 0.0, width - 1.0), (0.0, 0.0, height - 1.0, height - 1.0), (1.0, 1.0, 1.0, 1.0)])
    positions = matrices @ corners
    last = np.array([[intensity.shape[1] - 1.0], [intensity.shape[0] - 1.0]]) - ROUNDING
    if not ((positions >= ROUNDING) & (positions <= last)).all():
        raise ValueError(f"'matrices' must map the corners of 'total' into 'intensity', {list(intensity.shape)}.")


@checked(
    _positions_inside,
    intensity="float32 [H, W, 3]", matrices="float64 [n, 2, 3]", numbers="float32 [samples]", weight="float",
    total="float32 [h, w, 3], written",
)  # fmt: skip
@kernel
def add_warped(intensity: Array, matrices: Array, numbers: Array, weight: float, total: Array) -> None:
    """Add a picture under a moving camera, bilinear: ``total[y, x] += weight * intensity[matrix @ (x, y, 1)]`` for each matrix.

    A line is cut into runs of pixels whose positions keep their whole parts: in these, all loads are of neighbours.

    Args:
        intensity: float32 [H, W, 3], large enough for every position and its neighbours to the right and below (callers ensure
            it).
        matrices: float64 [n, 2, 3], positions x and y in `intensity`, nearly translations (turned and zoomed by at most a tenth).
        numbers: ``pixel_numbers(w)``.
        weight: Factor of the picture.
        total: float32 [h, w, 3], changed in place.
    """
    lines = intensity.reshape((intensity.shape[0], 3 * intensity.shape[1]))
    sums = total.reshape((total.shape[0], 3 * total.shape[1]))
    for y in range(total.shape[0]):
        for n in range(matrices.shape[0]):
            _add_line(lines, matrices[n], y, numbers, weight, sums[y])
