"""Plain NumPy reference of the statistics of a face."""

from __future__ import annotations

import numpy as np

LAGS, SHARES, STEEPEST = (1, 2, 3, 5, 8), (0.05, 0.25, 0.5, 0.75, 0.95, 1.0), (0.05, 0.15, 0.4)
MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])


def statistics(crop, begin, end, factor):
    side = (end - begin) // factor
    green = crop[begin : begin + side * factor, begin : begin + side * factor, 1].astype(float)
    luma = green.reshape(side, factor, side, factor).mean((1, 3))
    return np.array([*spread(luma), *energies(luma), np.log2(luma.std() + 0.1), np.log2(luma.mean() + 1), *edges(luma)])


def spread(luma):
    sizes, peaks = np.empty((5, 4)), np.empty((5, 4))
    for i, lag in enumerate(LAGS):
        pairs = [
            (luma[:, lag:], luma[:, :-lag]),
            (luma[lag:, lag:], luma[:-lag, :-lag]),
            (luma[lag:], luma[:-lag]),
            (luma[lag:, :-lag], luma[:-lag, lag:]),
        ]
        for j, (one, other) in enumerate(pairs):
            sizes[i, j] = np.log2(((one - other) ** 2).mean() + 0.05)
            peaks[i, j] = np.log2(((one - other) ** 4).mean() + 0.05**2) - 2 * sizes[i, j]
    weakest = sizes[1].argmin()
    for size, peak in zip(sizes, peaks, strict=True):
        yield from (size.min(), size.max(), size.mean(), size[weakest], peak[size.argmin()], peak.mean(), peak.max())


def energies(luma):
    count = (len(luma) - 2) // 8
    windows = np.lib.stride_tricks.sliding_window_view(luma, (3, 3))[: 8 * count, : 8 * count]
    noise = (windows * MASK).sum((2, 3)) ** 2 / 36
    gradient = (windows[..., 1, 2] - windows[..., 1, 0]) ** 2 + (windows[..., 2, 1] - windows[..., 0, 1]) ** 2
    for energy in (noise, gradient):
        ordered = np.sort(energy.reshape(count, 8, count, 8).mean((1, 3)), axis=None)
        yield from (np.log2(ordered[int(share * (len(ordered) - 1))] + 0.02) for share in SHARES)


def edges(luma):
    count = len(luma) // 8
    blocks = luma[: 8 * count, : 8 * count].reshape(count, 8, count, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    contrast = blocks.max((1, 2)) - blocks.min((1, 2))
    steep = np.stack([abs(np.diff(blocks, axis=axis)).max((1, 2)) / (contrast + 2) for axis in (1, 2)], axis=1)
    order = np.argsort(-contrast.astype(np.float32), kind="stable")
    for share in STEEPEST:
        taken = steep[order[: max(1, int(share * len(blocks)))]]
        yield from (*np.sort(taken.mean(0)), taken.max())
    yield np.log2(contrast[order[int(0.05 * len(blocks))]] + 1)
