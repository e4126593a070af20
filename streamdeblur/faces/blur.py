"""Which faces are sharp enough to be left alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.sharpness import blur_effect, reduced_luma

FACE_BEGIN, FACE_END = 48, 208
"""The part of a crop that the face fills; around it a blurred background would count as a blurred face."""

NOISE_ALLOWANCE = 0.06
"""How much lower the measure is at half resolution for the same sharp face (median of 150 portraits)."""

SHARP_BELOW, BLURRED_ABOVE = 0.38, 0.41
"""Hysteresis, from 150 portraits: sharp, 2 of 3 lie below; with 4 px of motion none does, with noise (deviation 4) as well
none from 8 px on. A doubtful face is restored."""

SMALLEST_SIDE = 96
"""Faces whose window is smaller have too few pixels to judge: they are always restored."""

FADE_FRAMES = 4
"""A face fades in and out of restoration over this many frames, so that no step is seen."""


def blur_of(crop: NDArray[np.uint8], side: float) -> float:
    """Blur of a crop (uint8 [256, 256, 3]) read from a window of `side` pixels, in [0, 1]; 1 where it cannot be judged.

    Measured at the resolution of the source, where fine blur shows, and at half of it, where noise does not hide long blur.
    """
    if side < SMALLEST_SIDE:
        return 1.0
    factor = max(1, round(crop.shape[0] / side))
    fine = blur_effect(reduced_luma(crop, FACE_BEGIN, FACE_END, factor))
    coarse = blur_effect(reduced_luma(crop, FACE_BEGIN, FACE_END, 2 * factor))
    return float(max(fine - NOISE_ALLOWANCE, coarse))


class SharpnessGate:
    """Decides for one track, frame by frame, how much restoration its face gets: 0 (sharp, left alone) to 1."""

    def __init__(self) -> None:
        self.blur = 1.0
        """Of the last crop, in [0, 1]; 1 before the first."""
        self._blurred: bool | None = None
        self._share = 0.0

    def share(self, blur: float) -> float:
        """Share of the residual for a crop of this blur: changes by at most 1 / FADE_FRAMES from frame to frame."""
        if self._blurred is None:
            self._blurred = blur > SHARP_BELOW
            self._share = float(self._blurred)
        elif blur > BLURRED_ABOVE:
            self._blurred = True
        elif blur < SHARP_BELOW:
            self._blurred = False
        step = 1.0 / FADE_FRAMES
        self._share = min(1.0, self._share + step) if self._blurred else max(0.0, self._share - step)
        return self._share
