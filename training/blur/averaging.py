"""Averages of frames: eq. 9 of the paper, over windows of variable length (VLA) or of a given one (PrAvg).

The middle frame is the ground truth. VLA adds a frame at each side until one of three rules stops it: see `stop_rules`. (The
paper adds frames one after the other, so that its middle frame changes; `docs/paper.md` says why ours does not.) Frames that
repeat the one before, as conversions of the frame rate make them, are left out before windows are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.averaging import add_intensity, mean_codes
from streamdeblur.kernels.motion import add_motion, mean_length
from streamdeblur.training.blur.observation import Observation
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme, is_odd_length
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

    def __init__(self, distinct: Sequence[Observation], middle: int, response: Response) -> None:
        self.distinct, self.middle, self.response = distinct, middle, response
        self.reach = 0
        self._intensity = response.to_intensity.astype(np.int32)
        self._total = np.zeros(distinct[middle].luma.shape, np.int32)
        add_intensity(distinct[middle].luma, 0, 0, self._intensity, self._total)
        self._average = np.empty_like(distinct[middle].luma)
        self._net = np.zeros_like(distinct[middle].motion[distinct[middle].region])
        self.path = 0.0

    def ends(self) -> tuple[Observation, Observation] | None:
        """Return the frames that come next at either side; None at an end of the clip."""
        first, last = self.middle - self.reach - 1, self.middle + self.reach + 1
        return (self.distinct[first], self.distinct[last]) if first >= 0 and last < len(self.distinct) else None

    def grow(self, first: Observation, last: Observation) -> None:
        """Add a frame at either side."""
        region = self.distinct[self.middle].region
        follower = self.distinct[self.middle - self.reach]
        self.reach += 1
        for motion in (follower.motion[region], last.motion[region]):
            self.path += add_motion(motion, self._net)
        for luma in (first.luma, last.luma):
            add_intensity(luma, 0, 0, self._intensity, self._total)

    @property
    def net(self) -> float:
        """Mean displacement from the first frame to the last, in pixels."""
        return mean_length(self._net)

    @property
    def length(self) -> int:
        return 2 * self.reach + 1

    def average(self) -> NDArray[np.uint8]:
        """Return the luma of the running average: uint8 [h, w]."""
        mean_codes(self._total, self.length, self.response.to_code, self._average)
        return self._average[..., 0]


def vla(distinct: Sequence[Observation], middle: int, response: Response, rules: StopRules | None = None) -> Window:
    """Find a window by variable length averaging (Sec. 3.4 of the paper).

    The rules hold for the window that is returned; the one that is larger by a frame at each side breaks the rule that is named.

    Args:
        distinct: Observations in order, none of them repeated (`distinct_frames`).
        middle: Index of the middle frame in them.
        response: Response in whose linear intensity the running average is computed.
        rules: When the window stops growing; None for the defaults.

    Returns:
        The window; of one frame where none can be added.
    """
    rules = rules or StopRules()
    growth = _Growth(distinct, middle, response)
    centre = distinct[middle]
    side = centre.pixel * max(centre.luma.shape)

    def window(reach: int, path: float, stopped_by: StoppedBy) -> Window:
        return Window(tuple(o.number for o in distinct[middle - reach : middle + reach + 1]), stopped_by, round(path, 3))

    while growth.length + 2 <= rules.longest:
        reach, path, ends = growth.reach, growth.path, growth.ends()
        if ends is None:
            return window(reach, path, "end")
        if ends[1].cut or distinct[middle - reach].cut:
            return window(reach, path, "cut")
        if not rules.overlap(*ends):
            return window(reach, path, "overlap")
        growth.grow(*ends)
        fault = rules.motion(growth.path, growth.net, growth.length, side)
        if fault:
            return window(reach, path, fault)
        if not rules.quality(growth.average(), centre.luma[..., 0]):
            return window(reach, path, "quality")
    return window(growth.reach, growth.path, "longest")


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
    distinct: Sequence[Observation], middle: int, scheme: BlurScheme, response: Response, rules: StopRules | None = None
) -> Window | None:
    """Find the window that a scheme averages around a frame.

    Args:
        distinct: Observations in order, none of them repeated (`distinct_frames`).
        middle: Index of the middle frame in them.
        scheme: VLA, or PrAvg with a length.
        response: Response in whose linear intensity VLA computes its running average.
        rules: When VLA stops; None for the defaults.

    Returns:
        The window; None where there is none of at least `SHORTEST` frames.
    """
    window = vla(distinct, middle, response, rules) if scheme.kind == "vla" else pravg(distinct, middle, scheme.length)
    return window if window is not None and window.length >= SHORTEST else None


def find_windows(
    observations: Iterable[Observation], scheme: BlurScheme, response: Response, *, rules: StopRules | None = None, every: int = 1
) -> list[Window]:
    """Find the windows around every `every`-th distinct frame of a clip.

    Args:
        observations: The frames of the clip in order.
        scheme: VLA, or PrAvg with a length.
        response: Response in whose linear intensity VLA computes its running average.
        rules: When VLA stops; None for the defaults.
        every: Distinct frames from one middle frame to the next.
    """
    distinct = distinct_frames(observations)
    found = (find_window(distinct, middle, scheme, response, rules) for middle in range(0, len(distinct), every))
    return [window for window in found if window is not None]
