"""Conversion of a network's float tensors to 8-bit images."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel

LARGEST = np.finfo(np.float32).max
"""Largest finite number of float32."""


@checked(red="uint8 [n]", green="uint8 [n]", blue="uint8 [n]", out="uint8 [n, 3], written")
@kernel
def interleave(red: Array, green: Array, blue: Array, out: Array) -> None:
    """Write three channels, uint8 [n] each, to `out`, uint8 [n, 3]."""
    # flat, with unsigned indices: in this form LLVM turns the three stores into vector shuffles
    flat = out.reshape(-1)
    for x in range(red.size):
        at = np.uint64(3 * x)
        flat[at] = red[x]
        flat[at + np.uint64(1)] = green[x]
        flat[at + np.uint64(2)] = blue[x]


@checked(images="float32 [N, 3, H, W], strided", out="uint8 [N, H, W, 3], written", finite="bool [N], written")
@kernel
def quantise(images: Array, out: Array, finite: Array) -> None:
    """Round network outputs to pixels, and find those with NaN or infinity.

    Args:
        images: float32 [N, 3, H, W] in [0, 1]; values outside are clipped.
        out: uint8 [N, H, W, 3], written.
        finite: bool [N], written; False where an image has NaN or infinity, whose pixels are undefined.
    """
    scale, half = np.float32(255.0), np.float32(0.5)
    lowest, highest = np.float32(0.0), np.float32(255.0)
    rgb = np.empty((3, images.shape[3]), np.uint8)
    for n in range(images.shape[0]):
        numbers = True
        for y in range(images.shape[2]):
            for c in range(3):
                line, channel = images[n, c, y], rgb[c]
                for x in range(line.size):
                    value = line[x]
                    # comparisons with NaN are false
                    numbers &= abs(value) <= LARGEST
                    channel[x] = np.int32(min(max(value * scale + half, lowest), highest))
            interleave(rgb[0], rgb[1], rgb[2], out[n, y])
        finite[n] = numbers
