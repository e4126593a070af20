"""How blurred a face is, and whether it is restored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.sharpness import blur_effect, reduced_luma

FACE_BEGIN, FACE_END = 3, 13
"""The part of a crop that the face fills, in sixteenths; around it a blurred background would count as a blurred face."""

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
    """Measure the blur of a face (Crete et al. 2007, "The blur effect").

    It is measured at the resolution of the source, where fine blur shows, and at half of it, where noise does not hide long blur.

    Args:
        crop: uint8 RGB [S, S, 3].
        side: Side in pixels of the window that the crop was read from.

    Returns:
        Blur in [0, 1]; 1 where the window is too small to judge.
    """
    if side < SMALLEST_SIDE:
        return 1.0
    size = crop.shape[0]
    factor, begin, end = max(1, round(size / side)), FACE_BEGIN * size // 16, FACE_END * size // 16
    fine = blur_effect(reduced_luma(crop, begin, end, factor))
    coarse = blur_effect(reduced_luma(crop, begin, end, 2 * factor))
    return float(max(fine - NOISE_ALLOWANCE, coarse))


class BlurHysteresis:
    """Decides for one track, frame by frame, whether its face is restored; fades in and out between the two."""

    def __init__(self) -> None:
        self.blur = 1.0
        """Blur of the last crop in [0, 1]; 1 before the first."""
        self._blurred: bool | None = None
        self._weight = 0.0

    def update(self, blur: float) -> float:
        """Take the blur of the next frame; return the weight of the restoration, 0 (left as it is) to 1.

        The weight changes by at most 1 / FADE_FRAMES from frame to frame.
        """
        self.blur = blur
        if self._blurred is None:
            self._blurred = blur > SHARP_BELOW
            self._weight = float(self._blurred)
        elif blur > BLURRED_ABOVE:
            self._blurred = True
        elif blur < SHARP_BELOW:
            self._blurred = False
        step = 1.0 / FADE_FRAMES
        self._weight = min(1.0, self._weight + step) if self._blurred else max(0.0, self._weight - step)
        return self._weight
