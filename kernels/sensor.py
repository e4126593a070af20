"""What a sensor does: shot and read noise, clipping, the camera curve, code values; all in one pass."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.intensity import BLOCK, check_table, look_up
from streamdeblur.kernels.jit import Array, kernel

BYTES_MEAN, BYTES_VARIANCE = np.int32(510), 4 * (256**2 - 1) / 12
"""Of the sum of four uniform bytes."""


def _below_white(intensity: Array, threshold: float, gain: float) -> None:
    if threshold >= 1.0:
        raise ValueError(f"'threshold' must be below 1 (got {threshold:g}).")


@checked(_below_white, intensity="float32 [H, W, 3], written", threshold="float", gain="float")
@kernel
def brighten(intensity: Array, threshold: float, gain: float) -> None:
    """Make white areas brighter than white, in place: by `gain` where all channels are 1, fading to 1 at `threshold`.

    Pixels are scaled as a whole: their colour stays. intensity: float32 [H, W, 3] in [0, 1].
    """
    samples = intensity.reshape(-1)
    low, slope, more = np.float32(threshold), np.float32(1.0 / (1.0 - threshold)), np.float32(gain - 1.0)
    one, none = np.float32(1.0), np.float32(0.0)
    for i in range(samples.size // 3):
        at = np.uint64(3 * i)
        # without a branch, so that it is vectorised: most pixels are multiplied by 1
        red, green, blue = samples[at], samples[at + np.uint64(1)], samples[at + np.uint64(2)]
        beyond = max((min(min(red, green), blue) - low) * slope, none)
        factor = one + more * beyond * beyond
        samples[at] = red * factor
        samples[at + np.uint64(1)] = green * factor
        samples[at + np.uint64(2)] = blue * factor


@checked(counter="uint32")
@kernel
def bits_of(counter: np.uint32) -> np.uint32:
    """Return 32 random bits of a counter: the hash `lowbias32` of C. Wellons."""
    bits = np.uint32((counter ^ np.uint32(counter >> np.uint32(16))) * np.uint32(0x7FEB352D))
    bits = np.uint32((bits ^ np.uint32(bits >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(bits ^ np.uint32(bits >> np.uint32(16)))


@checked(
    lambda *arguments: check_table(arguments[5]),
    intensity="float32 [...]", shot="float >= 0", read="float >= 0", key="int >= 0", scale="float", table="uint8 [n]",
    out="uint8 [...], written",
)  # fmt: skip
@kernel
def write_noisy_codes(intensity: Array, shot: float, read: float, key: int, scale: float, table: Array, out: Array) -> None:
    """Add shot and read noise, then clip and apply the camera curve: ``out = table[clip(intensity + noise) * scale]``, rounded.

    The noise is a sum of four uniform bytes: normal except for its tails, which end at 3.5 standard deviations.

    Args:
        intensity: float32, any shape, not negative, 1 for code value 255.
        shot: Variance per unit of intensity.
        read: Variance in the dark.
        key: 32 bits; the noise of sample i depends on `key` and i alone.
        scale: Factor from intensity to indices of the table.
        table: uint8 [n], n <= 65536.
        out: uint8 of the shape of `intensity`, written.
    """
    source, target = intensity.reshape(-1), out.reshape(-1)
    factor, half, last, none = np.float32(scale), np.float32(0.5), np.float32(table.size - 1), np.float32(0.0)
    # the deviation of a sample, in units of that of the sum of bytes
    slope, dark = np.float32(shot / BYTES_VARIANCE), np.float32(read / BYTES_VARIANCE)
    indices = np.empty(BLOCK, np.uint16)
    for begin in range(0, source.size, BLOCK):
        part = source[begin : begin + BLOCK]
        start = np.uint32(np.uint32(key) + np.uint32(begin))
        for i in range(part.size):
            bits = bits_of(np.uint32(start + np.uint32(i)))
            pairs = np.uint32((bits & np.uint32(0x00FF00FF)) + (np.uint32(bits >> np.uint32(8)) & np.uint32(0x00FF00FF)))
            total = np.int32((pairs & np.uint32(0xFFFF)) + np.uint32(pairs >> np.uint32(16)))
            value = part[i] + np.float32(total - BYTES_MEAN) * np.sqrt(slope * part[i] + dark)
            # in this order NaN becomes the first index
            indices[i] = np.int32(min(max(none, value * factor + half), last))
        look_up(indices, table, target[begin : begin + BLOCK])
