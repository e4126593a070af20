"""Plain NumPy references of the pixel kernels: slow, obvious, and the definition of what the kernels compute."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from streamdeblur.faces.window import FEATHER


def cubic(x):
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=64)
def resampling_matrix(count, origin, step, size):
    """Dense [count, size]: output cell j covers [origin + j step, origin + (j + 1) step) of `size` samples, border repeated."""
    matrix = np.zeros((count, size))
    for j in range(count):
        begin = origin + j * step
        i = np.arange(np.floor(begin) - 3, np.ceil(begin + step) + 4)
        covered = np.maximum(0, np.minimum(begin + step, i + 1) - np.maximum(begin, i)) / step
        weights = covered if step >= 1 else cubic(begin + step / 2 - 0.5 - i)
        np.add.at(matrix[j], np.clip(i, 0, size - 1).astype(int), weights)
    return matrix


def component_samples(planes, c):
    """The samples of component c as a float array [h, w]."""
    offset, stride, width, height, _ = planes.memory[c]
    return planes.channels[c][:height, offset : offset + (width - 1) * stride + 1 : stride].astype(float)


def crop(planes, window, size=256):
    grid = planes.component_grid(window.left, window.top)
    components = []
    for c in range(3):
        samples = component_samples(planes, c)
        horizontal = resampling_matrix(size, grid[c, 0], grid[c, 1] * window.side / size, samples.shape[1])
        vertical = resampling_matrix(size, grid[c, 2], grid[c, 3] * window.side / size, samples.shape[0])
        components.append(vertical @ samples @ horizontal.T)
    stacked = np.stack([*components, np.ones((size, size))], axis=-1)
    return np.clip(np.floor(stacked @ planes.colour.to_rgb.T.astype(float) + 0.5), 0, 255).astype(np.uint8)


def feather(t):
    t = np.clip(np.minimum(t, 1 - t) / FEATHER, 0, 1)
    return t * t * (3 - 2 * t)


def mask(planes, c, window):
    """Mask of a window over every sample of component c: [h, w]."""
    _, _, width, height, _ = planes.memory[c]
    origin_x, scale_x, origin_y, scale_y = planes.component_grid(0, 0)[c]
    x = ((np.arange(width) + 0.5 - origin_x) / scale_x - window.left) / window.side
    y = ((np.arange(height) + 0.5 - origin_y) / scale_y - window.top) / window.side
    return feather(y)[:, None] * feather(x)[None]


def paste(planes, restorations):
    """Component arrays [h, w] of code values after the restorations were pasted."""
    pasted = []
    masks_of = [[mask(planes, c, r.window) for r in restorations] for c in range(len(planes.arrays))]
    for c in range(len(planes.arrays)):
        _, _, width, height, shift = planes.memory[c]
        value = component_samples(planes, c) / (1 << int(shift))
        total = np.maximum(1.0, np.sum(masks_of[c], axis=0))
        for r, own in zip(restorations, masks_of[c], strict=True):
            size = r.crop.shape[0]
            rgb = r.restored.astype(float) - r.crop.astype(float)
            residual = r.strength * (rgb @ planes.colour.from_rgb[c].astype(float))
            origin_x, scale_x, origin_y, scale_y = planes.component_grid(r.window.left, r.window.top)[c]
            unit = size / r.window.side
            horizontal = resampling_matrix(width, -origin_x / scale_x * unit, unit / scale_x, size)
            vertical = resampling_matrix(height, -origin_y / scale_y * unit, unit / scale_y, size)
            delta = vertical @ residual @ horizontal.T * own / total
            value = np.clip(np.floor(value + delta + 0.5), 0, planes.layout.maximum)
        pasted.append(value)
    return pasted
