"""Averages of clips that are read backwards, without those whose blur a forward average shows already (Sec. 5.1 of the paper)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.similarity import mean_square_difference
from streamdeblur.training.blur.averaging import FrameSequence, RunningSum, Window
from streamdeblur.training.blur.exposures import Pair, average_clip, expose
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.stop_rules import StopRules

SAME_BLUR_DB = 40.0
"""A reverse pair is skipped if its blurry face is this near (PSNR) to that of a forward one: 2.55 code values (RMS)."""

PICTURES = 64
"""Blurry pictures of forward windows that are kept at a time, so that memory does not grow with the clip."""


@dataclass(frozen=True, eq=False)
class _Backwards:
    """A clip whose frames come in reverse order."""

    clip: FrameSequence

    @property
    def frames(self) -> NDArray[np.uint8]:
        return self.clip.frames[::-1]

    @property
    def boxes(self) -> NDArray[np.float32] | None:
        return None if self.clip.boxes is None else self.clip.boxes[::-1]

    @property
    def landmarks(self) -> NDArray[np.float32] | None:
        return None if self.clip.landmarks is None else self.clip.landmarks[::-1]


def average_backwards(
    clip: FrameSequence, scheme: BlurScheme, response: Response, forward: Sequence[Window], *,
    rules: StopRules | None = None, every: int = 1,
) -> Iterator[tuple[Window, Pair] | None]:  # fmt: skip
    """Make the pairs of a clip that is read backwards.

    Args:
        clip: Frames of one face, or of anything without face boxes.
        scheme: VLA, or PrAvg with a length.
        response: Response in whose linear intensity frames are averaged.
        forward: The windows of the clip as it is.
        rules: When VLA stops; None for the defaults.
        every: Distinct frames from one window to the next.

    Yields:
        Each window, its frames numbered as in the clip, and its pair; None for one whose blur is that of a forward one.
    """
    running_sum = RunningSum(response)

    @lru_cache(PICTURES)
    def blurry(window: Window) -> NDArray[np.uint8]:
        return expose(clip.frames, window, response, running_sum=running_sum).blurry

    last = len(clip.frames) - 1
    known = {window.frames for window in forward}
    for window, pair in average_clip(_Backwards(clip), scheme, response, rules=rules, every=every):
        there = replace(window, frames=tuple(sorted(last - number for number in window.frames)))
        near = (its for its in forward if its.frames[0] <= there.middle <= its.frames[-1])
        box = None if clip.boxes is None else clip.boxes[there.middle]
        repeats = there.frames in known or any(same_blur(pair.blurry, blurry(its), box) for its in near)
        yield None if repeats else (there, pair)


def same_blur(first: NDArray[np.uint8], second: NDArray[np.uint8], box: NDArray[np.float32] | None) -> bool:
    """Check whether a face is nearly the same in two blurry pictures, uint8 [H, W, 3].

    Args:
        first: A picture.
        second: Another one of the same size.
        box: Face box x0, y0, x1, y1 in pixels; None compares the whole pictures.
    """
    height, width = first.shape[:2]
    x0, y0, x1, y1 = (0.0, 0.0, float(width), float(height)) if box is None else (float(side) for side in box)
    lines, columns = slice(max(int(np.floor(y0)), 0), int(np.ceil(y1))), slice(max(int(np.floor(x0)), 0), int(np.ceil(x1)))
    faces = first[lines, columns], second[lines, columns]
    return faces[0].size == 0 or mean_square_difference(*faces) <= 255.0**2 / 10 ** (SAME_BLUR_DB / 10)
