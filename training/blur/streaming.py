"""Exposures of a video as it is read: frames in, pairs out, with a bounded window of frames in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamdeblur.training.blur.averaging import RunningSum, Window, find_window
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import Pair, expose
from streamdeblur.training.blur.observation import Observation
from streamdeblur.training.blur.options import BlurOptions
from streamdeblur.training.blur.response import open_response
from streamdeblur.training.blur.stop_rules import StopRules
from streamdeblur.training.blur.trajectories import sample_kernel

if TYPE_CHECKING:
    import av


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video, as observed and as decoded."""

    observation: Observation
    pixels: NDArray[np.uint8]
    """uint8 RGB [H, W, 3], upright."""
    decoded: av.VideoFrame

    @property
    def number(self) -> int:
        """Number of the frame in its video, from 0."""
        return self.observation.number


class StreamExposer:
    """Blurs the frames of a video as the options say; the same pairs for the same frames and seed."""

    def __init__(self, options: BlurOptions) -> None:
        """Open the response. Raises OptionError or InputError where it cannot be opened."""
        self.options = options
        self._response = open_response(options.response)
        self._rules = StopRules(longest=options.longest)
        self._sum = RunningSum(self._response)
        self._exposed = -1

    def expose(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Pair]]:
        """Make the pairs of a video's frames, in order, holding no more frames than one average takes.

        Frames that repeat the one before are left out, and those around which there is no average of at least three frames. Of
        averages that grow sequentially, those are left out whose middle is not later than that of the one before.

        Yields:
            Each sharp frame and its pair.
        """
        self._exposed = -1
        length = self.options.length
        ahead = length - 1 if self.options.scheme.growth == "sequential" else length // 2
        recent: deque[Frame] = deque(maxlen=length // 2 * 2 + 1)
        waiting = 0
        number = 0
        for frame in frames:
            if frame.observation.repeated and ahead:
                continue
            recent.append(frame)
            waiting += 1
            if waiting > ahead:
                yield from self._pair(recent, len(recent) - waiting, number)
                waiting, number = waiting - 1, number + 1
        while waiting:
            yield from self._pair(recent, len(recent) - waiting, number)
            waiting, number = waiting - 1, number + 1

    def _pair(self, recent: Sequence[Frame], place: int, number: int) -> Iterator[tuple[Frame, Pair]]:
        if number % self.options.every:
            return
        random = np.random.default_rng((self.options.seed, recent[place].number))
        if self.options.scheme.averages:
            yield from self._averaged(recent, place, random)
        else:
            yield recent[place], self._convolved(recent[place], random)

    def _averaged(self, recent: Sequence[Frame], place: int, random: np.random.Generator) -> Iterator[tuple[Frame, Pair]]:
        observations = [frame.observation for frame in recent]
        window = find_window(observations, place, self.options.scheme, self._response, self._rules)
        # a frame of the output is shown once, and in order
        if window is None or window.middle <= self._exposed:
            return
        self._exposed = window.middle
        frames = {frame.number: frame for frame in recent}
        yield frames[window.middle], self._average({n: frame.pixels for n, frame in frames.items()}, window, random)

    def _average(self, frames: Mapping[int, NDArray[np.uint8]], window: Window, random: np.random.Generator) -> Pair:
        if self.options.camera <= 1.0:
            return expose(frames, window, self._response, running_sum=self._sum)
        height, width = frames[window.middle].shape[:2]
        path = CameraPath.sample(random, window.length, self.options.camera, width, height)
        pair = expose(frames, window, self._response, path)
        return replace(pair, record=pair.record | {"camera_px": self.options.camera})

    def _convolved(self, frame: Frame, random: np.random.Generator) -> Pair:
        extent = float(random.uniform(*self.options.extents))
        kernel = sample_kernel(random, extent, self.options.scheme.family, max(3, 2 * int(np.ceil(extent) // 2) + 1))
        pair = expose([frame.pixels], None, self._response, kernel)
        return replace(pair, record={"length": 1, "extent_px": round(extent, 2)})
