"""Convolution with a kernel that is mostly zeros: the path of a shaking camera."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel


def _taps_inside(intensity: Array, rows: Array, columns: Array, weights: Array, out: Array) -> None:
    if weights.size % 4:
        raise ValueError(f"'weights' must be a multiple of 4 (got {weights.size}).")
    for name, taps, axis in (("rows", rows, 0), ("columns", columns, 1)):
        room = intensity.shape[axis] - out.shape[axis]
        if taps.size and not 0 <= taps.min() <= taps.max() <= room:
            raise ValueError(
                f"'{name}' must be 0 to {room}, by which 'intensity' exceeds 'out' (got {taps.min()} to {taps.max()})."
            )


@checked(
    _taps_inside,
    intensity="float32 [H, W, 3]", rows="int64 [taps]", columns="int64 [taps]", weights="float32 [taps]",
    out="float32 [h, w, 3], written",
)  # fmt: skip
@kernel
def convolve_taps(intensity: Array, rows: Array, columns: Array, weights: Array, out: Array) -> None:
    """Sum up weighted shifted pictures: ``out[y, x] = sum_t weights[t] * intensity[y + rows[t], x + columns[t]]``.

    intensity: float32 [H, W, 3]; rows, columns: int64 [taps], not negative; weights: float32 [taps]; out: float32 [h, w, 3],
    written, with ``h + max(rows) <= H`` and ``w + max(columns) <= W``. The number of taps is a multiple of 4 (tap 0 may be
    repeated with weight 0).
    """
    lines = intensity.reshape((intensity.shape[0], intensity.shape[1] * 3))
    width = out.shape[1] * 3
    for y in range(out.shape[0]):
        total = out[y].reshape(-1)
        total[:] = np.float32(0.0)
        # four at a time, so that the sum is loaded and stored once for four products
        for t in range(0, weights.size, 4):
            first = lines[y + rows[t], 3 * columns[t] : 3 * columns[t] + width]
            second = lines[y + rows[t + 1], 3 * columns[t + 1] : 3 * columns[t + 1] + width]
            third = lines[y + rows[t + 2], 3 * columns[t + 2] : 3 * columns[t + 2] + width]
            fourth = lines[y + rows[t + 3], 3 * columns[t + 3] : 3 * columns[t + 3] + width]
            a, b, c, d = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
            for i in range(width):
                total[i] += (a * first[i] + b * second[i]) + (c * third[i] + d * fourth[i])
