"""Paths of a shaking camera, and the blur kernels that they leave on the sensor."""

from __future__ import annotations

import math

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel


def _one_step_less(normals: Array, chances: Array, traits: Array, path: Array) -> None:
    if path.shape[0] < 2 or normals.shape[0] != path.shape[0] - 1:
        raise ValueError(f"'path' must have 2 points or more, one more than 'normals' has (got {path.shape[0]}).")


@checked(
    _one_step_less,
    normals="float32 [n, 2]", chances="float32 [n, 2]", traits="float64 [5]", path="float32 [steps, 2], written",
)  # fmt: skip
@kernel
def markov_path(normals: Array, chances: Array, traits: Array, path: Array) -> None:
    """Sample a camera-shake trajectory by the Markov process of Kupyn et al. 2018 (DeblurGAN, Algorithm 1), of constant speed.

    normals: float32 [steps - 1, 2] standard normal; chances: float32 [steps - 1, 2] uniform in [0, 1), of a sudden shake and
    of its direction; traits: float64 [5], (first direction in radians, pull to the start, probability of a sudden shake,
    strength of the normal shake, anxiety that scales them all); path: float32 [steps, 2], written, in units of its whole
    length.
    """
    angle, pull, sudden, strength, anxiety = traits[0], traits[1], traits[2], traits[3], traits[4]
    steps = path.shape[0]
    stride = 1.0 / (steps - 1)
    x, y = 0.0, 0.0
    velocity_x, velocity_y = math.cos(angle) * stride, math.sin(angle) * stride
    path[0, 0], path[0, 1] = 0.0, 0.0
    for t in range(steps - 1):
        change_x = anxiety * (strength * normals[t, 0] - pull * x) * stride
        change_y = anxiety * (strength * normals[t, 1] - pull * y) * stride
        if chances[t, 0] < sudden * anxiety:
            # back where it came from, within half a radian
            turn = math.pi + chances[t, 1] - 0.5
            cosine, sine = 2.0 * math.cos(turn), 2.0 * math.sin(turn)
            change_x += cosine * velocity_x - sine * velocity_y
            change_y += sine * velocity_x + cosine * velocity_y
        velocity_x += change_x
        velocity_y += change_y
        scale = stride / max(math.sqrt(velocity_x * velocity_x + velocity_y * velocity_y), 1e-12)
        velocity_x *= scale
        velocity_y *= scale
        x += velocity_x
        y += velocity_y
        path[t + 1, 0], path[t + 1, 1] = x, y


@checked(
    amplitudes="float64 [axes, waves]", phases="float64 [axes, waves]", steps="float64 [waves]",
    path="float32 [samples, axes], written",
)  # fmt: skip
@kernel
def sum_of_waves(amplitudes: Array, phases: Array, steps: Array, path: Array) -> None:
    """Sums of sine waves at equal intervals, each by turning a pointer.

    amplitudes, phases: float64 [axes, waves]; steps: float64 [waves], radians from one sample to the next; path: float32
    [samples, axes], written.
    """
    path[:] = 0.0
    for axis in range(path.shape[1]):
        for k in range(steps.size):
            sine = amplitudes[axis, k] * math.sin(phases[axis, k])
            cosine = amplitudes[axis, k] * math.cos(phases[axis, k])
            turn_sine, turn_cosine = math.sin(steps[k]), math.cos(steps[k])
            for t in range(path.shape[0]):
                path[t, axis] += sine
                sine, cosine = sine * turn_cosine + cosine * turn_sine, cosine * turn_cosine - sine * turn_sine


@kernel
def _offset(path: Array, axis: int, scale: float, side: int) -> float:
    """What to add along an axis so that the scaled path has its mean in the middle of `side` pixels, or else lies within them."""
    lowest, highest, total = path[0, axis], path[0, axis], 0.0
    for t in range(path.shape[0]):
        lowest, highest = min(lowest, path[t, axis]), max(highest, path[t, axis])
        total += path[t, axis]
    offset = 0.5 * (side - 1) - scale * total / path.shape[0]
    return float(min(max(offset, -scale * lowest), side - 1 - scale * highest))


def _span_inside(path: Array, span: float, intensity: Array) -> None:
    if not path.shape[0]:
        raise ValueError("'path' must have a point.")
    if not (intensity.shape[0] >= 2 and span < intensity.shape[0]):
        raise ValueError(f"'intensity' must have 2 lines or more, and more than 'span' (got {intensity.shape[0]} for {span:g}).")


@checked(_span_inside, path="float32 [points, 2]", span="float >= 0", intensity="float32 [size, size], written")
@kernel
def render_path(path: Array, span: float, intensity: Array) -> None:
    """Render what a moving point leaves on a sensor: its path, scaled to `span` pixels along its longer axis.

    Bilinear, so that the centroid is the path's mean, which is the middle of the picture unless the path would reach beyond its
    border; then it is moved by as little as needed.

    path: float32 [points, 2], x and y, equal times apart; intensity: float32 [size, size] with size > span, written, its sum 1.
    """
    lowest_x, highest_x, lowest_y, highest_y = path[0, 0], path[0, 0], path[0, 1], path[0, 1]
    for t in range(path.shape[0]):
        lowest_x, highest_x = min(lowest_x, path[t, 0]), max(highest_x, path[t, 0])
        lowest_y, highest_y = min(lowest_y, path[t, 1]), max(highest_y, path[t, 1])
    longest = max(highest_x - lowest_x, highest_y - lowest_y)
    scale = span / longest if longest > 0.0 else 0.0
    left, top = _offset(path, 0, scale, intensity.shape[1]), _offset(path, 1, scale, intensity.shape[0])
    # rounding may leave a point slightly outside; in the order below NaN becomes 0
    last_x, last_y = intensity.shape[1] - 1.000001, intensity.shape[0] - 1.000001
    intensity[:] = 0.0
    each = 1.0 / path.shape[0]
    for t in range(path.shape[0]):
        at_x = min(max(0.0, scale * path[t, 0] + left), last_x)
        at_y = min(max(0.0, scale * path[t, 1] + top), last_y)
        x, y = int(at_x), int(at_y)
        right, below = at_x - x, at_y - y
        intensity[y, x] += each * (1.0 - right) * (1.0 - below)
        intensity[y, x + 1] += each * right * (1.0 - below)
        intensity[y + 1, x] += each * (1.0 - right) * below
        intensity[y + 1, x + 1] += each * right * below
