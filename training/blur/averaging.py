"""Averages of frames: eq. 9 of the paper, over windows of variable length (VLA) or of a given one (PrAvg).

The middle frame is the ground truth. VLA adds frames until one of three rules stops it: see `stop_rules`. It adds one at each
side of a middle frame that is chosen first ("symmetric"), or one after the other, as the paper describes it, so that the middle
frame moves ("sequential"). Frames that repeat the one before, as conversions of the frame rate make them, are left out before
windows are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.averaging import add_intensity, mean_codes
from streamdeblur.kernels.motion import add_motion, mean_length
from streamdeblur.training.blur.observation import Observation
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme, Growth, is_odd_length
from streamdeblur.training.blur.stop_rules import StoppedBy, StopRules

SHORTEST = 3
"""Fewest frames of an average."""


class FrameSequence(Protocol):
    """Sequential frames, of one face where there are boxes."""

    @property
    def frames(self) -> NDArray[np.uint8]:
        """The frames, uint8 RGB [T, H, W, 3]."""

    @property
    def boxes(self) -> NDArray[np.float32] | None:
        """Face box of each frame, x0, y0, x1, y1 in pixels: float32 [T, 4]; None without a face."""

    @property
    def landmarks(self) -> NDArray[np.float32] | None:
        """Landmarks of each frame, float32 [T, K, 2] in pixels; None where there are none."""


@dataclass(frozen=True)
class Window:
    """The frames that one exposure averages."""

    frames: tuple[int, ...]
    """Numbers of the frames, ascending, an odd count; the middle one is the ground truth."""
    stopped_by: StoppedBy
    """The rule that stopped its growth; `longest` where none did, `end` at an end of the clip, `predefined` for PrAvg."""
    motion_px: float
    """Length of the path of the face (of the whole picture without one) from the first to the last frame."""

    @property
    def length(self) -> int:
        """Number of frames, L of eq. 9."""
        return len(self.frames)

    @property
    def middle(self) -> int:
        """Number of the middle frame, the sharp one."""
        return self.frames[len(self.frames) // 2]

    def record(self, scale: float | None = None) -> dict[str, Any]:
        """Describe the window for JSON.

        Args:
            scale: Pixels of the pair per pixel of the frames, by which the motion is multiplied; None keeps it.
        """
        return {
            "length": self.length,
            "first": self.frames[0],
            "last": self.frames[-1],
            "stopped_by": self.stopped_by,
            "motion_px": self.motion_px if scale is None else round(self.motion_px * scale, 2),
        }


class _Growth:
    """A window while it grows: its running average and its motion. A step costs O(pixels), however long the window is."""

    def __init__(self, distinct: Sequence[Observation], start: int, response: Response) -> None:
        self.distinct, self.response = distinct, response
        self.first = self.last = start
        self.path = 0.0
        self._intensity = response.to_intensity.astype(np.int32)
        self._total = np.zeros(distinct[start].luma.shape, np.int32)
        add_intensity(distinct[start].luma, 0, 0, self._intensity, self._total)
        self._average = np.empty_like(distinct[start].luma)
        self._region = distinct[start].region
        self._net = np.zeros_like(distinct[start].motion[self._region])

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    @property
    def middle(self) -> Observation:
        """The middle frame; of an even number the later one of the two."""
        return self.distinct[self.first + self.length // 2]

    @property
    def net(self) -> float:
        """Mean displacement from the first frame to the last, in pixels."""
        return mean_length(self._net)

    def begins_shot(self, first: int, last: int) -> bool:
        """Return whether a cut lies between the window and what would be added to it."""
        return self.distinct[last].cut or (first < self.first and self.distinct[self.first].cut)

    def grow(self, first: int, last: int) -> None:
        """Add the frame `last` after the window, and the frame `first` before it unless it is there already."""
        added = [self.distinct[last]]
        motions = [added[0].motion]
        if first < self.first:
            added.insert(0, self.distinct[first])
            # the motion that leads to the frame that was the first one
            motions.insert(0, self.distinct[self.first].motion)
        for motion in motions:
            self.path += add_motion(motion[self._region], self._net)
        for observation in added:
            add_intensity(observation.luma, 0, 0, self._intensity, self._total)
        self.first, self.last = first, last

    def average(self) -> NDArray[np.uint8]:
        """Return the luma of the running average: uint8 [h, w]."""
        mean_codes(self._total, self.length, self.response.to_code, self._average)
        return self._average[..., 0]


def vla(
    distinct: Sequence[Observation], start: int, response: Response, rules: StopRules | None = None,
    growth: Growth = "symmetric",
) -> Window:  # fmt: skip
    """Find a window by variable length averaging (Sec. 3.4 of the paper).

    The rules hold for the window that is returned, and for all smaller ones that it grew from. A larger one breaks the rule that
    is named: by a frame at each side, or by the next frame or the one after it.

    Args:
        distinct: Observations in order, none of them repeated (`distinct_frames`).
        start: Index of the frame that the window grows from: the middle one, or if it grows sequentially the first one.
        response: Response in whose linear intensity the running average is computed.
        rules: When the window stops growing; None for the defaults.
        growth: "symmetric" adds a frame before and one after the window; "sequential" adds one frame after the other, so that
            the middle frame moves, and at last leaves out one if their number is even.

    Returns:
        The window; of one frame where none can be added.
    """
    rules = rules or StopRules()
    window = _Growth(distinct, start, response)
    side = distinct[start].pixel * max(distinct[start].luma.shape)
    found, path = (start, start), 0.0
    stopped_by: StoppedBy | None = None
    while stopped_by is None:
        first, last = window.first - (growth == "symmetric"), window.last + 1
        stopped_by = _end_of_growth(window, first, last, rules)
        if stopped_by is None:
            window.grow(first, last)
            stopped_by = rules.motion(window.path, window.net, window.length, side)
        if stopped_by is None and not rules.quality(window.average(), window.middle.luma[..., 0]):
            stopped_by = "quality"
        if stopped_by is None and window.length % 2:
            found, path = (window.first, window.last), window.path
    frames = tuple(observation.number for observation in distinct[found[0] : found[1] + 1])
    return Window(frames, stopped_by, round(path, 3))


def _end_of_growth(
    window: _Growth, first: int, last: int, rules: StopRules
) -> Literal["longest", "end", "cut", "overlap"] | None:
    """What forbids that a window grows to the frames `first` to `last`, before that is tried."""
    if last - first + 1 > rules.longest:
        return "longest"
    if first < 0 or last >= len(window.distinct):
        return "end"
    if window.begins_shot(first, last):
        return "cut"
    return None if rules.overlap(window.distinct[first], window.distinct[last]) else "overlap"


def pravg(distinct: Sequence[Observation], middle: int, length: int) -> Window | None:
    """Find a window of a predefined length (PrAvg of the paper).

    Args:
        distinct: Observations in order, none of them repeated (`distinct_frames`).
        middle: Index of the middle frame in them.
        length: Number of frames, odd, 3 or more.

    Returns:
        The window; None where it would reach beyond the clip or across a cut.

    Raises:
        ValueError: The length is even or below 3.
    """
    if not is_odd_length(length):
        raise ValueError(f"PrAvg averages an odd number of frames, 3 or more (got {length}).")
    reach = length // 2
    chosen = distinct[middle - reach : middle + reach + 1] if middle >= reach else []
    if len(chosen) < length or any(o.cut for o in chosen[1:]):
        return None
    path = sum(o.path for o in chosen[1:])
    return Window(tuple(o.number for o in chosen), "predefined", round(path, 3))


def distinct_frames(observations: Iterable[Observation]) -> list[Observation]:
    """Leave out the frames that repeat the one before."""
    return [observation for observation in observations if not observation.repeated]


class RunningSum:
    """Exact sum of the linear intensity of frames; from one window to the next only what differs is added or subtracted."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._intensity = response.to_intensity.astype(np.int32)
        self._summed: dict[int, NDArray[np.uint8]] = {}
        self._total: NDArray[np.int32] | None = None

    def average(self, frames: Iterable[tuple[int, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
        """Average frames in linear intensity (eq. 9), exactly.

        Args:
            frames: (number, uint8 [H, W, 3]) of each frame.

        Returns:
            uint8 [H, W, 3].
        """
        wanted = dict(frames)
        gone, new = self._summed.keys() - wanted.keys(), wanted.keys() - self._summed.keys()
        shape = next(iter(wanted.values())).shape
        if self._total is None or self._total.shape != shape or len(gone) >= len(self._summed) - len(gone):
            self._total = np.zeros(shape, np.int32)
            gone, new = set(), set(wanted)
        for number in gone:
            add_intensity(self._summed[number], 0, 0, -self._intensity, self._total)
        for number in new:
            add_intensity(wanted[number], 0, 0, self._intensity, self._total)
        self._summed = wanted
        blurry = np.empty(shape, np.uint8)
        mean_codes(self._total, len(wanted), self._response.to_code, blurry)
        return blurry


def find_window(
    distinct: Sequence[Observation], place: int, scheme: BlurScheme, response: Response, rules: StopRules | None = None
) -> Window | None:
    """Find the window that a scheme averages at a frame.

    Args:
        distinct: Observations in order, none of them repeated (`distinct_frames`).
        place: Index of the middle frame in them; of VLA that grows sequentially that of the first frame.
        scheme: VLA, or PrAvg with a length.
        response: Response in whose linear intensity VLA computes its running average.
        rules: When VLA stops; None for the defaults.

    Returns:
        The window; None where there is none of at least `SHORTEST` frames.
    """
    if scheme.kind == "vla":
        window: Window | None = vla(distinct, place, response, rules, scheme.growth)
    else:
        window = pravg(distinct, place, scheme.length)
    return window if window is not None and window.length >= SHORTEST else None


def find_windows(
    observations: Iterable[Observation], scheme: BlurScheme, response: Response, *, rules: StopRules | None = None, every: int = 1
) -> list[Window]:
    """Find the windows at every `every`-th distinct frame of a clip: around it, or from it on if they grow sequentially.

    Args:
        observations: The frames of the clip in order.
        scheme: VLA, or PrAvg with a length.
        response: Response in whose linear intensity VLA computes its running average.
        rules: When VLA stops; None for the defaults.
        every: Distinct frames from one of these frames to the next.
    """
    distinct = distinct_frames(observations)
    found = (find_window(distinct, place, scheme, response, rules) for place in range(0, len(distinct), every))
    return [window for window in found if window is not None]
