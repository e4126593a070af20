"""Between a network's float tensors and 8-bit crops."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.jit import Array, kernel


@kernel
def quantise(images: Array, out: Array, finite: Array) -> None:
    """Round network outputs to pixels, and say which of them are numbers throughout.

    images: float32 [N, 3, H, W] in [0, 1]; out: uint8 [N, H, W, 3], written; finite: bool [N], written, False where an image
    holds NaN or infinity (its pixels are then without meaning).
    """
    scale, half = np.float32(255.0), np.float32(0.5)
    lowest, highest = np.float32(0.0), np.float32(255.0)
    largest = np.float32(np.finfo(np.float32).max)
    for n in range(images.shape[0]):
        numbers = True
        for y in range(images.shape[2]):
            for c in range(3):
                line = images[n, c, y]
                for x in range(line.size):
                    value = line[x]
                    # comparisons with NaN are false
                    numbers &= abs(value) <= largest
                    out[n, y, x, c] = np.uint8(min(max(value * scale + half, lowest), highest))
        finite[n] = numbers
