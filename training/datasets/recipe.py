"""Recipe and PairMaker: pairs of a blurry and a sharp crop, each made when it is asked for, from nothing but a seed and its
number."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from streamdeblur.kernels.light import read_light
from streamdeblur.kernels.sensor import brighten
from streamdeblur.options import Settings
from streamdeblur.training.blur.averaging import Clip, Window, distinct_frames, pravg, vla
from streamdeblur.training.blur.camera import CameraPath, gather
from streamdeblur.training.blur.observation import Observation, observe
from streamdeblur.training.blur.response import Response, open_response
from streamdeblur.training.blur.rules import StopRules
from streamdeblur.training.blur.sensor import HIGHLIGHT, Degradations, Sensor, degrade, disc
from streamdeblur.training.blur.synthetic import convolve, light_table
from streamdeblur.training.blur.trajectories import SIZE, draw_kernel, trimmed
from streamdeblur.training.datasets.crops import (
    CROP,
    STILL_JITTER,
    STILL_SCALES,
    Image,
    face_square,
    mirror,
    part_of,
    resized,
    scaled,
    square,
)

Scheme = Literal["synthetic", "vla", "pravg", "vla+camera", "pravg+camera", "sharp", "mild"]
Spread = Literal["log-uniform", "uniform"]
_log = logging.getLogger(__name__)


class Shares(Settings):
    """How much of each kind of blur there is; their sum does not matter."""

    synthetic: float = Field(default=0.5, ge=0, description="Stills convolved with one kernel.")
    vla: float = Field(default=0.03, ge=0, description="Clips, variable length averaging.")
    pravg: float = Field(default=0.03, ge=0, description="Clips, averages of a fixed length.")
    vla_camera: float = Field(default=0.12, ge=0, description="VLA while a camera shakes.")
    pravg_camera: float = Field(default=0.07, ge=0, description="PrAvg while a camera shakes.")
    sharp: float = Field(default=0.125, ge=0, description="No blur and no degradations: to be left as it is.")
    mild: float = Field(default=0.125, ge=0, description="Synthetic blur that hardly shows.")


class Recipe(Settings):
    """What pairs are made of. Frozen; extents are in px of the 256 px crop, as of blur kernels (`trajectories`)."""

    shares: Shares = Shares()
    extents: tuple[float, float] = Field(default=(3.0, 34.0), description="Of synthetic blur.")
    mild_extents: tuple[float, float] = Field(default=(1.0, 4.0), description="Of mild blur.")
    camera_extents: tuple[float, float] = Field(default=(3.0, 24.0), description="Of the camera's path during an average.")
    lengths: tuple[int, ...] = Field(default=(7, 9, 11, 15, 21), min_length=1, description="Of PrAvg: odd numbers of frames.")
    rules: StopRules = Field(default=StopRules(), description="When VLA stops.")
    responses: tuple[str, ...] = Field(
        default=("srgb",),
        min_length=1,
        description="Each identity, srgb, gamma:EXPONENT or fitted:FILE.json; a pair takes one of them.",
    )
    sensor: Sensor = Sensor()
    severity: float = Field(default=1.0, ge=0, le=1, description="Scales the degradations; 0 is clean.")
    spread: Spread = Field(default="log-uniform", description="How extents are spread over their range, log-uniform or uniform.")

    @field_validator("extents", "mild_extents", "camera_extents")
    @classmethod
    def _check_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 1.0 <= value[0] <= value[1] <= SIZE:
            raise ValueError(f"a range of extents rises within [1, {SIZE}] px")
        return value

    @field_validator("lengths")
    @classmethod
    def _check_lengths(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(length < 3 or length % 2 == 0 for length in value):
            raise ValueError("lengths are odd numbers of frames, 3 or more")
        return value


@dataclass(frozen=True, eq=False)
class Pair:
    """A blurry crop and what it should have been."""

    blurry: Image
    """uint8 RGB [S, S, 3]; S is 256 for a whole crop."""
    sharp: Image
    """uint8 RGB [S, S, 3], without any degradation."""
    kernel: NDArray[np.float32] | None
    """The kernel, float32 [41, 41], where the whole blur is one (defocus included); None where frames were averaged."""
    record: dict[str, Any]
    """What was done, for JSON."""

    def __repr__(self) -> str:
        return f"Pair({self.record})"


@dataclass(frozen=True)
class _Order:
    """What is known of a pair before its picture is chosen."""

    scheme: Scheme
    severity: float
    size: int
    degradations: Degradations
    response: Response


class _Plan:
    """The windows of one clip."""

    def __init__(self, distinct: list[Observation], windows: list[Window]) -> None:
        self.distinct, self.windows = [o.thinned() for o in distinct], windows


class PairMaker:
    """Makes pair number n of a recipe: the same for the same seed, whatever was made before. Any number of threads may ask.

    Nearly all of the work is done without the GIL, so that pairs can be made beside a training.
    """

    def __init__(self, stills: Sequence[Image], clips: Sequence[Clip], recipe: Recipe | None = None, seed: int = 0) -> None:
        """stills: uint8 RGB [S, S, 3], S >= 256, sharp; clips: see `Clip`, best with about 300 px, where a face's window of
        256 px leaves room for the camera's motion.

        Raises:
            ValueError: neither stills nor clips, or shares that are all zero.
            OptionError, InputError: the recipe's response cannot be opened.
        """
        self.stills, self.clips, self.recipe, self.seed = stills, clips, recipe or Recipe(), seed
        self._responses = [open_response(name) for name in self.recipe.responses]
        self._schemes, self._bounds = self._choices()
        self._plans: dict[int, _Plan] = {}
        self._locks = [threading.Lock() for _ in range(len(clips))]

    def _choices(self) -> tuple[list[Scheme], NDArray[np.float64]]:
        shares = {name.replace("_", "+"): share for name, share in self.recipe.shares.model_dump().items()}
        if not len(self.stills) and not len(self.clips):
            raise ValueError("Pairs are made of stills or clips; there are neither.")
        averaged = [name for name in shares if name.startswith(("vla", "pravg"))]
        if not len(self.clips) and any(shares[name] for name in averaged):
            _log.warning("There are no clips: synthetic blur takes the shares of %s.", ", ".join(averaged))
            shares["synthetic"] += sum(shares.pop(name) for name in averaged)
        if not sum(shares.values()):
            raise ValueError("All shares of the recipe are zero.")
        return cast(list[Scheme], list(shares)), np.cumsum(list(shares.values())) / sum(shares.values())

    def prepare(self, workers: int = 2) -> None:
        """Observe all clips now, instead of each when it is first needed (about a second per 1,000 frames)."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self._plan, range(len(self.clips))))

    def pair(self, index: int, severity: float = 1.0, size: int = CROP) -> Pair:
        """Pair number `index`. severity in [0, 1] scales the recipe's: 0 is clean, with extents up to the middle of their
        ranges. Of a `size` below 256 px, even, only a random part of the crop is made."""
        random = np.random.default_rng((self.seed, index))
        scheme = self._schemes[int(np.searchsorted(self._bounds, random.random(), side="right"))]
        degradations = self.recipe.sensor.draw(random, severity * self.recipe.severity if scheme != "sharp" else 0.0)
        flipped = bool(random.random() < 0.5)
        response = self._responses[int(random.integers(len(self._responses)))]
        make = self._from_still if scheme in ("synthetic", "mild", "sharp") else self._from_clip
        pair = make(random, _Order(scheme, severity, size, degradations, response))
        pair.record.update(
            scheme=scheme, response=response.name, severity=severity, flipped=flipped, degradations=degradations.record()
        )
        if not flipped:
            return pair
        kernel = None if pair.kernel is None else np.ascontiguousarray(pair.kernel[:, ::-1])
        return Pair(mirror(pair.blurry), mirror(pair.sharp), kernel, pair.record)

    # From stills

    def _from_still(self, random: np.random.Generator, order: _Order) -> Pair:
        size, degradations, response = order.size, order.degradations, order.response
        extents = {"synthetic": self.recipe.extents, "mild": self.recipe.mild_extents, "sharp": (1.0, 1.0)}[order.scheme]
        extent = _draw_extent(random, extents, self.recipe.spread, order.severity)
        kernel = draw_kernel(random, extent)
        image, left, top, record = self._still(random)
        left, top, _ = part_of(random, left, top, CROP, size)
        sharp = image[top : top + size, left : left + size].copy()
        record["extent"] = round(extent, 2)
        if order.scheme == "sharp":
            return Pair(sharp.copy(), sharp, kernel, record)
        middle = trimmed(kernel)
        reach = middle.shape[0] // 2
        light = np.empty((size + 2 * reach, size + 2 * reach, 3), np.float32)
        read_light(image, left - reach, top - reach, light_table(response), light)
        if degradations.highlights is not None:
            brighten(light, HIGHLIGHT, degradations.highlights)
        blurry = degrade(convolve(light, middle), degradations, response)
        if degradations.defocus is not None:
            kernel = np.asarray(cv2.filter2D(kernel, -1, disc(degradations.defocus), borderType=cv2.BORDER_CONSTANT), np.float32)
        return Pair(blurry, sharp, kernel, record)

    def _still(self, random: np.random.Generator) -> tuple[Image, int, int, dict[str, Any]]:
        """A picture, where the crop begins in it, and where it is from."""
        if not len(self.stills):
            number = int(random.integers(len(self.clips)))
            clip = self.clips[number]
            frame = int(random.integers(len(clip.frames)))
            left, top, side = face_square(random, clip, frame)
            return square(clip.frames[frame], left, top, side, self._responses[0]), 0, 0, {"clip": number, "frame": frame}
        number = int(random.integers(len(self.stills)))
        image = self.stills[number]
        chance, share, at_x, at_y = random.random(4)
        record: dict[str, Any] = {"still": number}
        if chance < STILL_JITTER:
            scale = STILL_SCALES[0] * (STILL_SCALES[1] / STILL_SCALES[0]) ** share
            record["scale"] = round(float(scale), 3)
            image = scaled(image, scale)
        height, width = image.shape[:2]
        return image, int(at_x * (width - CROP + 1)), int(at_y * (height - CROP + 1)), record

    # From clips

    def _from_clip(self, random: np.random.Generator, order: _Order) -> Pair:
        size, degradations, response = order.size, order.degradations, order.response
        number = int(random.integers(len(self.clips)))
        extent = 1.0
        if order.scheme.endswith("camera"):
            extent = _draw_extent(random, self.recipe.camera_extents, self.recipe.spread, order.severity)
        length = int(random.choice(self.recipe.lengths))
        window = self._window(random, number, order.scheme, length)
        clip = self.clips[number]
        left, top, side = face_square(random, clip, window.middle)
        scale = CROP / side
        left, top, side = part_of(random, left, top, side, size)
        # the extent is one of the crop's pixels
        extent_there = 1.0 + (extent - 1.0) / scale
        path = CameraPath.draw(random, window.length, extent_there, side, side)
        frames = [clip.frames[i] for i in window.frames]
        light = gather(frames, path, left, top, response, degradations.highlights)
        blurry = degrade(resized(light, size), degradations, response)
        record = {
            "clip": number,
            "length": window.length,
            "first": window.frames[0],
            "last": window.frames[-1],
            "stopped_by": window.stopped_by,
            "motion_px": round(window.motion_px * scale, 2),
            "extent": round(extent, 2),
        }
        return Pair(blurry, square(clip.frames[window.middle], left, top, side, self._responses[0], size), None, record)

    def _plan(self, number: int) -> _Plan:
        """The windows of a clip, found when it is first needed."""
        with self._locks[number]:
            if number not in self._plans:
                clip = self.clips[number]
                distinct = distinct_frames(observe(clip.frames, clip.boxes, clip.landmarks))
                found = [vla(distinct, middle, self._responses[0], self.recipe.rules) for middle in range(len(distinct))]
                self._plans[number] = _Plan(distinct, [window for window in found if window.length > 1])
            return self._plans[number]

    def _window(self, random: np.random.Generator, number: int, scheme: Scheme, length: int) -> Window:
        """A random window of a clip; the shortest clips have none of the length wanted, then VLA's or the middle frame alone."""
        plan = self._plan(number)
        place = random.random()
        if scheme.startswith("pravg") and len(plan.distinct) >= length:
            middle = length // 2 + int(place * (len(plan.distinct) - length + 1))
            window = pravg(plan.distinct, middle, length)
            if window is not None:
                return window
        if plan.windows:
            return plan.windows[int(place * len(plan.windows))]
        return Window((plan.distinct[int(place * len(plan.distinct))].number,), "end", 0.0)


def _draw_extent(random: np.random.Generator, extents: tuple[float, float], spread: Spread, severity: float) -> float:
    lowest, highest = extents
    share = random.random() * (1.0 + severity) / 2.0
    return float(lowest + (highest - lowest) * share if spread == "uniform" else lowest * (highest / lowest) ** share)
