"""How a small picture has moved and grown since the one before (Lucas and Kanade 1981, in its inverse compositional form)."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

COARSE_STEPS, FINE_STEPS = 6, 4
"""Steps of Gauss and Newton at half of the resolution, where long motion is found, and at the whole."""


@kernel
def _halved(picture: Array) -> Array:
    """Means of 2 x 2 pixels."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    out = np.empty((height, width), np.float32)
    for y in range(height):
        upper, lower, line = picture[2 * y], picture[2 * y + 1], out[y]
        for x in range(width):
            line[x] = np.float32(0.25) * (upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1])
    return out


@kernel
def _weights(size: int) -> Array:
    """Weights of the pixels of a square: 1 in its middle, 0 on the circle that touches its sides and beyond."""
    out = np.empty((size, size), np.float32)
    middle = 0.5 * (size - 1)
    for y in range(size):
        for x in range(size):
            radius = ((x - middle) ** 2 + (y - middle) ** 2) / (0.5 * size) ** 2
            out[y, x] = max(0.0, 1.0 - radius)
    return out


@kernel
def _sample(picture: Array, size: int, place: Array, out: Array) -> None:
    """Sample a square of `size` pixels at ``place`` = (x, y, scale) from the middle of a picture: bilinear, borders repeated."""
    last_x, last_y = picture.shape[1] - 1, picture.shape[0] - 1
    middle = 0.5 * (size - 1)
    for y in range(size):
        down = min(max(0.5 * last_y + place[1] + place[2] * (y - middle), 0.0), float(last_y))
        above = min(int(down), last_y - 1)
        share = np.float32(down - above)
        upper, lower, line = picture[above], picture[above + 1], out[y]
        for x in range(size):
            across = min(max(0.5 * last_x + place[0] + place[2] * (x - middle), 0.0), float(last_x))
            left = min(int(across), last_x - 1)
            part = np.float32(across - left)
            first = upper[left] + part * (upper[left + 1] - upper[left])
            second = lower[left] + part * (lower[left + 1] - lower[left])
            line[x] = first + share * (second - first)


@kernel
def _centred(picture: Array, weights: Array) -> float:
    """Take the weighted mean away from a picture, in place; return its weighted power."""
    total, mean, power = 0.0, 0.0, 0.0
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            total += weights[y, x]
            mean += weights[y, x] * picture[y, x]
    mean /= total
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            picture[y, x] -= mean
            power += weights[y, x] * picture[y, x] ** 2
    return power


@kernel
def _slopes(template: Array) -> Array:
    """How each pixel changes with a shift along x and y and with growth: float32 [3, size, size]."""
    size = template.shape[0]
    middle = np.float32(0.5 * (size - 1))
    out = np.zeros((3, size, size), np.float32)
    half = np.float32(0.5)
    for y in range(1, size - 1):
        for x in range(1, size - 1):
            across = half * (template[y, x + 1] - template[y, x - 1])
            down = half * (template[y + 1, x] - template[y - 1, x])
            out[0, y, x], out[1, y, x] = across, down
            out[2, y, x] = across * (np.float32(x) - middle) + down * (np.float32(y) - middle)
    return out


@kernel
def _solve(normal: Array, pull: Array, step: Array) -> None:
    """Solve three equations, ``normal @ step = pull``, of a symmetric matrix by Cramer's rule."""
    a, b, c, d, e, f = normal[0, 0], normal[0, 1], normal[0, 2], normal[1, 1], normal[1, 2], normal[2, 2]
    first, second, third = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = a * first + b * second + c * third
    step[0] = (first * pull[0] + second * pull[1] + third * pull[2]) / determinant
    step[1] = (second * pull[0] + (a * f - c * c) * pull[1] + (b * c - a * e) * pull[2]) / determinant
    step[2] = (third * pull[0] + (b * c - a * e) * pull[1] + (a * d - b * b) * pull[2]) / determinant


@kernel
def _refine(template: Array, picture: Array, place: Array, steps: int) -> float:
    """Improve a place, (x, y, scale), by steps of Gauss and Newton; return the correlation before the last one."""
    size = template.shape[0]
    weights = _weights(size)
    reference, found = template.copy(), np.empty((size, size), np.float32)
    power = _centred(reference, weights)
    slopes = _slopes(reference)
    normal = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for y in range(size):
                for x in range(size):
                    normal[i, j] += weights[y, x] * slopes[i, y, x] * slopes[j, y, x]
        # a flat picture moves nowhere
        normal[i, i] += 1e-6 * (1.0 + normal[i, i])
    correlation, pull, step = 0.0, np.empty(3), np.empty(3)
    for _ in range(steps):
        _sample(picture, size, place, found)
        other = _centred(found, weights)
        product = 0.0
        gain = np.float32(np.sqrt(power / other)) if other > 0.0 else np.float32(1.0)
        pull[:] = 0.0
        for y in range(size):
            for x in range(size):
                weight = weights[y, x]
                product += weight * found[y, x] * reference[y, x]
                error = weight * (gain * found[y, x] - reference[y, x])
                pull[0] += slopes[0, y, x] * error
                pull[1] += slopes[1, y, x] * error
                pull[2] += slopes[2, y, x] * error
        correlation = product / np.sqrt(power * other) if power * other > 0.0 else 0.0
        _solve(normal, pull, step)
        place[2] = min(max(place[2] / max(1.0 + step[2], 0.5), 0.5), 2.0)
        place[0] -= place[2] * step[0]
        place[1] -= place[2] * step[1]
    return correlation


def _even_squares(template: Array, picture: Array, place: Array) -> None:
    if min(template.shape[0], picture.shape[0]) < 8:
        raise ValueError(f"'template' and 'picture' must be 8 pixels wide or more (got {len(template)} and {len(picture)}).")


@checked(_even_squares, template="float32 [n, n]", picture="float32 [m, m]", place="float64 [3], written")
@kernel
def align(template: Array, picture: Array, place: Array) -> float:
    """Find a square of a picture in another one, whatever its brightness and contrast are there.

    Args:
        template: float32 [n, n].
        picture: float32 [m, m], of as many pixels per length as the template.
        place: float64 [3], written: how far the square lies from the middle of the picture, x and y in pixels, and its scale.

    Returns:
        The correlation of the two in [-1, 1], weighted towards the middle: what lies behind a face moves otherwise.
    """
    place[0], place[1], place[2] = 0.0, 0.0, 1.0
    _refine(_halved(template), _halved(picture), place, COARSE_STEPS)
    place[0] *= 2.0
    place[1] *= 2.0
    return _refine(template, picture, place, FINE_STEPS)
