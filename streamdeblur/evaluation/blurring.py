"""Cases of one picture or clip: blurry faces, made in the way of a protocol. Each depends on a seed and its own name alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from streamdeblur.evaluation.cases import Case, Image, Points
from streamdeblur.evaluation.sources.annotations import COUNT
from streamdeblur.evaluation.sources.dataset import Clip, Face, Still
from streamdeblur.evaluation.sources.pictures import points_in
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.averaging import Clip as Footage
from streamdeblur.training.blur.averaging import Window, distinct_frames, pravg, vla
from streamdeblur.training.blur.camera import CameraPath, gather
from streamdeblur.training.blur.exposures import SHORTEST
from streamdeblur.training.blur.observation import Observation, observe
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.synthetic import blur_image, develop
from streamdeblur.training.blur.trajectories import draw_kernel
from streamdeblur.training.datasets.crops import resized, square
from streamdeblur.training.datasets.quality import sharpness
from streamdeblur.training.datasets.windows import whole_square

EXTENTS = (4.0, 34.0)
"""Extents in px of synthetic blur, uniform; see `trajectories`."""
CAMERA_EXTENTS = (4.0, 24.0)
"""Extents in px of a crop of the camera's path during an average, uniform."""
GOLDEN = (5**0.5 - 1) / 2

Scheme = Literal["pravg", "vla", "synthetic", "as-is", "sharp"]


@dataclass(frozen=True)
class Blurring:
    """How sharp faces become blurry ones."""

    scheme: Scheme
    length: int
    """Frames of an average of PrAvg."""
    camera: bool
    """Whether a camera shakes during an average."""
    response: Response
    """Where light adds up."""
    seed: int

    @property
    def averages(self) -> bool:
        """Whether it needs frames one after the other."""
        return self.scheme in ("pravg", "vla")

    def still(self, still: Still) -> Iterator[Case]:
        """The one case of a picture. Raises InputError where it cannot be read."""
        yield self._of_face(still, still.name, still.open(), {})

    def clip(self, clip: Clip) -> Iterator[Case]:
        """The cases of a clip, well spread over it however many are taken: one for each frame, or for each that is the middle of
        an average. Raises InputError where it cannot be read."""
        footage = clip.open()
        random = self._random(clip.name)
        if self.averages:
            for window in self._windows(footage, random):
                yield self._average(clip, footage, window, _Place.of(footage, window.middle))
            return
        for frame in spread(len(footage.frames), random):
            face = _Place.of(footage, frame).face(footage, frame, self.response)
            yield self._of_face(clip, _case_name(clip, frame), face, {"frame": frame})

    def run(self, clip: Clip, length: int) -> list[Case]:
        """The cases of so many frames in a row, in a window that stands still; none where the clip has no such run.

        Only averages without a shaking camera: its path is drawn anew for each case.

        Raises:
            InputError: the clip cannot be read.
        """
        if not self.averages or self.camera:
            return []
        footage = clip.open()
        distinct = distinct_frames(observe(footage.frames, footage.boxes, footage.landmarks))
        for first in spread(max(0, len(distinct) - length + 1), self._random(clip.name, "run")):
            windows = [self._window(distinct, middle) for middle in range(first, first + length)]
            found = [window for window in windows if window is not None]
            if len(found) == length:
                place = _Place.of(footage, found[length // 2].middle)
                return [self._average(clip, footage, window, place) for window in found]
        return []

    def _random(self, *names: str) -> np.random.Generator:
        """Random numbers of their own for everything that has a name, whatever else is made."""
        digest = hashlib.sha256("\0".join([self.scheme, *names]).encode()).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest)])

    def _windows(self, footage: Footage, random: np.random.Generator) -> Iterator[Window]:
        distinct = distinct_frames(observe(footage.frames, footage.boxes, footage.landmarks))
        for middle in spread(len(distinct), random):
            window = self._window(distinct, middle)
            if window is not None:
                yield window

    def _window(self, distinct: Sequence[Observation], middle: int) -> Window | None:
        window = vla(distinct, middle, self.response) if self.scheme == "vla" else pravg(distinct, middle, self.length)
        return window if window is not None and window.length >= SHORTEST else None

    def _of_face(self, source: Still | Clip, name: str, face: Face, record: dict[str, Any]) -> Case:
        sharp: Image | None = face.crop
        blurry, kernel, reference = face.crop, None, None
        if self.scheme == "synthetic":
            random = self._random(name, "kernel")
            extent = float(random.uniform(*EXTENTS))
            kernel = draw_kernel(random, extent)
            blurry = blur_image(face.crop, kernel, self.response)
            record = record | {"extent": round(extent, 2)}
            if self.response.name != "identity":
                # the kernel is the blur of light, and no kernel that of code values
                kernel = None
        elif self.scheme == "as-is":
            sharp = None
            reference = source.reference.open().crop if source.reference else None
        record = self._record(face.crop) | record
        return Case(name, blurry, sharp, source.group, source.identity, reference, face.landmarks, kernel, record)

    def _average(self, clip: Clip, footage: Footage, window: Window, place: _Place) -> Case:
        name = _case_name(clip, window.middle)
        random = self._random(name, "camera")
        scale = CROP_SIZE / place.side
        extent = float(random.uniform(*CAMERA_EXTENTS)) if self.camera else 1.0
        # the extent is one of the crop's pixels
        path = CameraPath.draw(random, window.length, 1.0 + (extent - 1.0) / scale, place.side, place.side)
        light = gather([footage.frames[n] for n in window.frames], path, place.left, place.top, self.response)
        face = place.face(footage, window.middle, self.response)
        record = self._record(face.crop) | {
            "length": window.length,
            "first": window.frames[0],
            "frame": window.middle,
            "last": window.frames[-1],
            "stopped_by": window.stopped_by,
            "motion_px": round(window.motion_px * scale, 2),
            "extent": round(extent, 2),
        }
        blurry = develop(resized(light, CROP_SIZE), self.response)
        return Case(name, blurry, face.crop, clip.group, clip.identity, None, face.landmarks, None, record)

    def _record(self, crop: Image) -> dict[str, Any]:
        """What is said of every case; the sharpness is that of the crop before it was blurred."""
        return {"scheme": self.scheme, "response": self.response.name, "seed": self.seed, "sharpness": round(sharpness(crop), 1)}


def _case_name(clip: Clip, frame: int) -> str:
    return f"{clip.name}/{frame:06d}"


@dataclass(frozen=True)
class _Place:
    """The window of a face in a frame of a clip; it may hang over the border, beyond which the frame is mirrored."""

    left: int
    top: int
    side: int

    @classmethod
    def of(cls, footage: Footage, frame: int) -> _Place:
        """The square of 1.7 times the face box; see `whole_square`."""
        assert footage.boxes is not None
        return cls(*whole_square(footage.boxes[frame]))

    def face(self, footage: Footage, frame: int, response: Response) -> Face:
        """The face in it, with its landmarks where it was marked by hand."""
        crop = square(footage.frames[frame], self.left, self.top, self.side, response)
        landmarks: Points | None = None
        if footage.landmarks is not None and footage.landmarks.shape[1] == COUNT:
            landmarks = points_in(footage.landmarks[frame], self.left, self.top, CROP_SIZE / self.side)
        return Face(crop, landmarks)


def spread(count: int, random: np.random.Generator) -> list[int]:
    """The numbers 0 to count - 1 in an order whose every beginning is spread over them evenly, from a random start.

    Multiples of the golden ratio modulo 1 in rising order: those of any interval lie at two or three distances from each other
    (three-distance theorem).
    """
    values = (random.random() + GOLDEN * np.arange(count)) % 1.0
    return [int(number) for number in np.argsort(values)]
