"""Changes from frame to frame of a video: repeated frames, cuts, and the bars around the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.video.planes import Planes

BLOCK = 16
"""Side in pixels of the blocks of a frame whose change is measured."""
STILL = 0.5
"""A frame none of whose blocks changes by more than this (code values of 8 bits, mean over the block) repeats the one before."""
REPEATED, REPEATED_FRACTION = 4.0, 0.25
"""So does one none of whose blocks changes by more than the first, where that is less than this fraction of what is usual around
it: a repeat that was encoded again is a little different."""
AROUND = 12
"""Frames before and after in which the usual change is measured."""
CUT, CUT_RATIO = 6.0, 5.0
"""A frame begins a new shot if its picture at 32 x 18 changes by more than the first (code values, mean) and by this many times
what is usual around it. Of 100 talking faces and two minutes of film, cuts changed by 7 times and more, motion by less than 4."""
CUT_AROUND, CUT_PERCENTILE = 8, 85
"""Frames before and after, and the percentile of their changes, that are usual: other cuts nearby do not count."""
BAR = 32
"""Samples of a bar are at most this (black is 16, or 0; compression adds a little), throughout the video."""


@dataclass(frozen=True)
class Change:
    """Difference of a frame from the one before, in code values of 8 bits."""

    block: float
    """The largest mean change of the samples of a block of luma."""
    overview: float
    """The mean change of the picture at 32 x 18: that of lighting and composition, not of detail."""


class ChangeMeter:
    """Measures the change of each frame of a video."""

    def __init__(self) -> None:
        self._luma: NDArray[np.uint8] | None = None
        self._overview: NDArray[np.float32] | None = None

    def __call__(self, luma: NDArray[np.uint8]) -> Change:
        """Measure the next frame, luma uint8 [H, W]. The first has an infinite change of blocks and none of its overview."""
        overview = _shrunk(luma, 32, 18)
        before, previous = self._luma, self._overview
        self._luma, self._overview = luma, overview
        if before is None or previous is None:
            return Change(float("inf"), 0.0)
        blocks = _shrunk(cv2.absdiff(luma, before), luma.shape[1] // BLOCK, luma.shape[0] // BLOCK)
        return Change(float(blocks.max()), float(np.abs(overview - previous).mean()))


def _shrunk(luma: cv2.typing.MatLike, width: int, height: int) -> NDArray[np.float32]:
    small = np.empty((max(1, height), max(1, width)), np.float32)
    cv2.resize(luma.astype(np.float32), small.shape[::-1], small, interpolation=cv2.INTER_AREA)
    return small


def luma_of(planes: Planes) -> NDArray[np.uint8]:
    """Copy the luma samples of a frame (green, of RGB) in 8 bits."""
    c = 1 if planes.layout.family == "rgb" else 0
    offset, stride, width, height, shift = planes.memory[c]
    samples = planes.channels[c][:height, offset : offset + stride * width : stride]
    return (samples >> (planes.layout.depth + int(shift) - 8)).astype(np.uint8)


def repeats(blocks: NDArray[np.float64]) -> frozenset[int]:
    """Return the indices of frames that repeat the one before, from `Change.block` of each frame of a video."""
    found = set()
    for n in range(1, len(blocks)):
        usual = np.median(_around(blocks, n, AROUND))
        if blocks[n] < STILL or blocks[n] < min(REPEATED, REPEATED_FRACTION * usual):
            found.add(n)
    return frozenset(found)


def cuts(overviews: NDArray[np.float64]) -> frozenset[int]:
    """Return the indices of frames that begin a new shot, from `Change.overview` of each frame of a video."""
    found = set()
    for n in range(1, len(overviews)):
        usual = np.percentile(_around(overviews, n, CUT_AROUND), CUT_PERCENTILE)
        # half a code value: what rounding and compression change in a still picture
        if overviews[n] > CUT and overviews[n] > CUT_RATIO * (usual + 0.5):
            found.add(n)
    return frozenset(found)


def _around(values: NDArray[np.float64], n: int, reach: int) -> NDArray[np.float64]:
    """Return the values before and after number n, without the first of all, which has no change; 0 where there are none."""
    near = np.concatenate([values[max(1, n - reach) : n], values[n + 1 : n + 1 + reach]])
    return near if len(near) else np.zeros(1)


class PictureArea:
    """Where the picture is in the frames of a video, without the black bars at its sides."""

    def __init__(self) -> None:
        self._columns: NDArray[np.uint8] | None = None
        self._lines: NDArray[np.uint8] | None = None

    def add(self, luma: NDArray[np.uint8]) -> None:
        """Add a frame: uint8 [H, W]."""
        columns, lines = luma.max(axis=0), luma.max(axis=1)
        self._columns = columns if self._columns is None else np.maximum(self._columns, columns)
        self._lines = lines if self._lines is None else np.maximum(self._lines, lines)

    def picture(self) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels; the whole frame where all of it is black."""
        (left, right), (top, bottom) = _bright(self._columns), _bright(self._lines)
        return left, top, right, bottom


def _bright(largest: NDArray[np.uint8] | None) -> tuple[int, int]:
    if largest is None:
        return 0, 0
    bright = np.flatnonzero(largest > BAR)
    return (int(bright[0]), int(bright[-1]) + 1) if len(bright) else (0, len(largest))
