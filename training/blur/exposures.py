"""Exposures of a video as it is read: frames in, pairs out, with a bounded window of frames in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from streamdeblur.options import Settings
from streamdeblur.training.blur.averaging import RunningSum, Window, pravg, vla
from streamdeblur.training.blur.camera import CameraPath, gather
from streamdeblur.training.blur.observation import Observation
from streamdeblur.training.blur.response import Response, open_response
from streamdeblur.training.blur.rules import StopRules
from streamdeblur.training.blur.synthetic import blur_image, develop
from streamdeblur.training.blur.trajectories import draw_kernel

if TYPE_CHECKING:
    import av

SHORTEST = 3
"""Frames of an average at least: fewer are no exposure."""


class BlurOptions(Settings):
    """How sharp video is blurred. Frozen; the defaults are those of the command line."""

    scheme: str = Field(default="vla", description="vla, pravg:L (L frames, odd) or synthetic.")
    response: str = Field(default="srgb", description="Where light adds up: identity, srgb, gamma:EXPONENT or fitted:FILE.json.")
    camera: float = Field(default=1.0, ge=1, le=255, description="Extent in px of a camera shake added to averages; 1 is none.")
    extents: tuple[float, float] = Field(default=(4.0, 34.0), description="Smallest and largest extent in px of synthetic blur.")
    longest: int = Field(default=21, ge=3, le=255, description="Frames of a VLA average at most.")
    every: int = Field(default=1, ge=1, description="Make a pair of every so many frames.")
    seed: int = Field(default=0, ge=0, description="Of synthetic blur and camera shake.")
    detector: str = Field(default="centerface", description="Finds the faces for VLA: centerface, scrfd:FILE.onnx or scrfd:PACK.")
    min_face: float = Field(default=48.0, ge=12.0, description="Size in pixels of the smallest face that is looked for.")
    start: float = Field(default=0.0, ge=0.0, description="Seconds of the input to leave out at its beginning.")
    duration: float | None = Field(default=None, gt=0.0, description="Seconds of the input to use.")
    codec: str | None = Field(default=None, description="Of a video output: FFmpeg's name of the encoder.")
    quality: float | None = Field(default=None, ge=0, le=63, description="Of a video output: constant quality; lower is better.")
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")

    @field_validator("scheme")
    @classmethod
    def _check_scheme(cls, value: str) -> str:
        kind, _, length = value.partition(":")
        if kind == "pravg" and length:
            if not length.isdecimal() or not 3 <= int(length) <= 255 or int(length) % 2 == 0:
                raise ValueError("pravg averages an odd number of frames, 3 to 255, whose middle one is the sharp one: pravg:7")
        elif value not in ("vla", "synthetic"):
            raise ValueError("known schemes: vla, pravg:L with an odd L such as pravg:7, synthetic")
        return value

    @field_validator("extents")
    @classmethod
    def _check_extents(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 1.0 <= value[0] <= value[1] <= 255.0:
            raise ValueError("extents rise within 1 to 255 px")
        return value

    @property
    def length(self) -> int:
        """Frames of an average, at most; 1 for synthetic blur."""
        if self.scheme == "synthetic":
            return 1
        return self.longest if self.scheme == "vla" else int(self.scheme.partition(":")[2])


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video, as seen and as decoded."""

    observation: Observation
    pixels: NDArray[np.uint8]
    """uint8 RGB [H, W, 3]."""
    decoded: av.VideoFrame


@dataclass(frozen=True, eq=False)
class Exposure:
    """A pair made of a video."""

    blurry: NDArray[np.uint8]
    """uint8 RGB [H, W, 3]."""
    middle: Frame
    """The sharp frame."""
    record: dict[str, Any]
    """What was averaged, for JSON."""


class Exposer:
    """Blurs frames by the options; the same pairs for the same frames and seed."""

    def __init__(self, options: BlurOptions) -> None:
        """Raises OptionError or InputError where the response cannot be opened."""
        self.options = options
        self.response: Response = open_response(options.response)
        self._rules = StopRules(longest=options.longest)
        self._sum = RunningSum(self.response)

    def expose(self, frames: Iterable[Frame]) -> Iterator[Exposure]:
        """The pairs of a video's frames, in order; holds as many frames as one average takes.

        Frames that repeat the one before are left out, and those around which no average of at least three frames is found.
        """
        reach = self.options.length // 2
        recent: deque[Frame] = deque(maxlen=2 * reach + 1)
        waiting = 0
        number = 0
        for frame in frames:
            if frame.observation.repeated and reach:
                continue
            recent.append(frame)
            waiting += 1
            if waiting > reach:
                yield from self._pair(recent, len(recent) - waiting, number)
                waiting, number = waiting - 1, number + 1
        while waiting:
            yield from self._pair(recent, len(recent) - waiting, number)
            waiting, number = waiting - 1, number + 1

    def _pair(self, recent: deque[Frame], middle: int, number: int) -> Iterator[Exposure]:
        if number % self.options.every:
            return
        frame = recent[middle]
        random = np.random.default_rng((self.options.seed, frame.observation.number))
        if self.options.scheme == "synthetic":
            yield self._synthetic(frame, random)
            return
        window = self._window([f.observation for f in recent], middle)
        if window is not None and window.length >= SHORTEST:
            chosen = set(window.frames)
            yield self._average([f for f in recent if f.observation.number in chosen], frame, window, random)

    def _window(self, observations: list[Observation], middle: int) -> Window | None:
        if self.options.scheme == "vla":
            return vla(observations, middle, self.response, self._rules)
        return pravg(observations, middle, self.options.length)

    def _average(self, frames: list[Frame], middle: Frame, window: Window, random: np.random.Generator) -> Exposure:
        record: dict[str, Any] = {
            "length": window.length,
            "first": window.frames[0],
            "last": window.frames[-1],
            "stopped_by": window.stopped_by,
            "motion_px": window.motion_px,
        }
        if self.options.camera > 1.0:
            height, width = middle.pixels.shape[:2]
            path = CameraPath.draw(random, len(frames), self.options.camera, width, height)
            light = gather([f.pixels for f in frames], path, 0, 0, self.response)
            return Exposure(develop(light, self.response), middle, record | {"camera_px": self.options.camera})
        blurry = self._sum.average((f.observation.number, f.pixels) for f in frames)
        return Exposure(blurry, middle, record)

    def _synthetic(self, frame: Frame, random: np.random.Generator) -> Exposure:
        lowest, highest = self.options.extents
        extent = float(random.uniform(lowest, highest))
        kernel = draw_kernel(random, extent, size=max(3, 2 * int(np.ceil(extent) // 2) + 1))
        return Exposure(blur_image(frame.pixels, kernel, self.response), frame, {"length": 1, "extent_px": round(extent, 2)})
