"""Cases of one picture or clip: blurry faces, made in the way of a protocol. Each depends on a seed and its own name alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamdeblur.evaluation.cases import Case, Image, Points
from streamdeblur.evaluation.sources.dataset import Clip, Face, Still
from streamdeblur.evaluation.sources.pictures import points_in
from streamdeblur.evaluation.sources.pts import COUNT
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.averaging import FrameSequence, Window, distinct_frames, find_window
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import expose
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.trajectories import draw_kernel
from streamdeblur.training.blur.view import View
from streamdeblur.training.datasets.quality import sharpness
from streamdeblur.training.datasets.windows import whole_square

EXTENTS = (4.0, 34.0)
"""Extents in px of synthetic blur, uniform; see `trajectories`."""
CAMERA_EXTENTS = (4.0, 24.0)
"""Extents in px of a crop of the camera's path during an average, uniform."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Blurring:
    """How sharp faces become blurry ones."""

    scheme: BlurScheme
    response: Response
    """Where light adds up."""
    seed: int

    def still(self, still: Still) -> Iterator[Case]:
        """The one case of a picture. Raises InputError where it cannot be read."""
        yield self._of_face(still, still.name, still.open(), {})

    def clip(self, clip: Clip) -> Iterator[Case]:
        """The cases of a clip, well spread over it however many are taken: one for each frame, or for each that is the middle of
        an average. Raises InputError where it cannot be read."""
        footage = clip.open()
        random = self._random(clip.name)
        if self.scheme.averages:
            for window in self._windows(footage, random):
                yield self._average(clip, footage, window, _view(footage, window.middle))
            return
        for frame in spread(len(footage.frames), random):
            view = _view(footage, frame)
            face = _face(footage, frame, view, view.pixels(footage.frames[frame], self.response))
            yield self._of_face(clip, _case_name(clip, frame), face, {"frame": frame})

    def run(self, clip: Clip, length: int) -> list[Case]:
        """The cases of so many frames in a row, in a window that stands still; none where the clip has no such run.

        Only averages without a shaking camera: its path is drawn anew for each case.

        Raises:
            InputError: the clip cannot be read.
        """
        if not self.scheme.averages or self.scheme.camera:
            return []
        footage = clip.open()
        distinct = distinct_frames(observe(footage.frames, footage.boxes, footage.landmarks))
        for first in spread(max(0, len(distinct) - length + 1), self._random(clip.name, "run")):
            windows = [find_window(distinct, middle, self.scheme, self.response) for middle in range(first, first + length)]
            found = [window for window in windows if window is not None]
            if len(found) == length:
                view = _view(footage, found[length // 2].middle)
                return [self._average(clip, footage, window, view) for window in found]
        return []

    def _random(self, *names: str) -> np.random.Generator:
        """Random numbers of their own for everything that has a name, whatever else is made."""
        digest = hashlib.sha256("\0".join([self.scheme.kind, *names]).encode()).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest)])

    def _windows(self, footage: FrameSequence, random: np.random.Generator) -> Iterator[Window]:
        distinct = distinct_frames(observe(footage.frames, footage.boxes, footage.landmarks))
        for middle in spread(len(distinct), random):
            window = find_window(distinct, middle, self.scheme, self.response)
            if window is not None:
                yield window

    def _of_face(self, source: Still | Clip, name: str, face: Face, record: dict[str, Any]) -> Case:
        kernel = None
        if self.scheme.kind == "synthetic":
            random = self._random(name, "kernel")
            extent = float(random.uniform(*EXTENTS))
            kernel = draw_kernel(random, extent)
            record = record | {"extent": round(extent, 2)}
        pair = expose([face.crop], None, self.response, kernel)
        sharp: Image | None = pair.sharp
        reference = None
        if self.scheme.kind == "as-is":
            sharp = None
            reference = source.reference.open().crop if source.reference else None
        # the kernel is the blur of light, and no kernel that of code values
        kernel = pair.kernel if self.response.name == "identity" else None
        record = self._record(face.crop) | record
        return Case(name, pair.blurry, sharp, source.group, source.identity, reference, face.landmarks, kernel, record)

    def _average(self, clip: Clip, footage: FrameSequence, window: Window, view: View) -> Case:
        name = _case_name(clip, window.middle)
        extent, path = 1.0, None
        if self.scheme.camera:
            random = self._random(name, "camera")
            extent = float(random.uniform(*CAMERA_EXTENTS))
            # the extent is one of the crop's pixels
            path = CameraPath.draw(random, window.length, 1.0 + (extent - 1.0) / view.scale, view.width, view.height)
        pair = expose(footage.frames, window, self.response, path, view=view)
        face = _face(footage, window.middle, view, pair.sharp)
        record = self._record(face.crop) | pair.record | {"frame": window.middle, "extent": round(extent, 2)}
        return Case(name, pair.blurry, face.crop, clip.group, clip.identity, None, face.landmarks, None, record)

    def _record(self, crop: Image) -> dict[str, Any]:
        """What is said of every case; the sharpness is that of the crop before it was blurred."""
        return {
            "scheme": self.scheme.kind,
            "response": self.response.name,
            "seed": self.seed,
            "sharpness": round(sharpness(crop), 1),
        }


def _case_name(clip: Clip, frame: int) -> str:
    return f"{clip.name}/{frame:06d}"


def _view(footage: FrameSequence, frame: int) -> View:
    """The window of the face in a frame of a clip, a square of 1.7 times the face box; see `whole_square`."""
    assert footage.boxes is not None
    return View.square(*whole_square(footage.boxes[frame]), CROP_SIZE)


def _face(footage: FrameSequence, frame: int, view: View, crop: Image) -> Face:
    """The face in a view, with its landmarks where it was annotated by hand."""
    landmarks: Points | None = None
    if footage.landmarks is not None and footage.landmarks.shape[1] == COUNT:
        landmarks = points_in(footage.landmarks[frame], view.left, view.top, view.scale)
    return Face(crop, landmarks)


def spread(count: int, random: np.random.Generator) -> list[int]:
    """The numbers 0 to count - 1 in an order whose every beginning is spread over them evenly, from a random start.

    Multiples of the golden ratio modulo 1 in rising order: those of any interval lie at two or three distances from each other
    (three-distance theorem).
    """
    values = (random.random() + GOLDEN * np.arange(count)) % 1.0
    return [int(number) for number in np.argsort(values)]
