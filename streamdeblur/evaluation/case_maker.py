"""CaseMaker: blurs the faces of one picture or clip. Each case depends only on the seed and its own name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from streamdeblur.evaluation.cases import Case, Image, Points
from streamdeblur.evaluation.real_blur import BlurryFrame, blurry_frames
from streamdeblur.evaluation.sources.dataset import EvaluationClip, EvaluationFace, EvaluationStill
from streamdeblur.evaluation.sources.pictures import points_in
from streamdeblur.evaluation.sources.pts import COUNT
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.training.blur.averaging import FrameSequence, Window, distinct_frames, find_window
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import expose
from streamdeblur.training.blur.observation import observe
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.trajectories import sample_kernel
from streamdeblur.training.blur.view import View
from streamdeblur.training.datasets.clip_windows import whole_square
from streamdeblur.training.datasets.face_quality import sharpness

ItemT = TypeVar("ItemT")

EXTENTS = (4.0, 34.0)
"""Smallest and largest extent in px of synthetic blur, uniform; see `trajectories`."""
CAMERA_EXTENTS = (4.0, 24.0)
"""Smallest and largest extent in px of the crop of the camera's path during an average, uniform."""
SHARP_FACES = BlurScheme("vla", growth="sequential")
"""The scheme whose sharp faces synthetic blur takes."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class CaseMaker:
    """Makes the cases of one picture or clip under a blur scheme."""

    scheme: BlurScheme
    response: Response
    """The camera response: frames are averaged in linear intensity."""
    seed: int
    noise: float = 0.0
    """Standard deviation in code values of the noise of the blurry faces."""
    stride: int = 1
    """Fewest frames from one face of a clip to the next; of averages and synthetic blur, fewest distinct ones."""

    def still(self, still: EvaluationStill) -> Iterator[Case]:
        """Make the one case of a picture; none where the scheme needs a clip.

        Raises:
            InputError: The picture cannot be read.
        """
        if self.scheme.kind == "real-blur":
            return
        yield self._of_face(still, still.name, still.open(), {})

    def clip(self, clip: EvaluationClip) -> Iterator[Case]:
        """Make the cases of a clip: one for each frame, or for each one that is the middle of an average.

        Synthetic blur takes the sharp frames of VLA (Sec. 5.4 of the paper), so that both blur the same faces. Cases come in an
        order in which any number of first ones is evenly spread over the clip.

        Raises:
            InputError: The clip cannot be read.
        """
        frames = clip.open()
        if self.scheme.kind == "real-blur":
            for blurry in self._apart(self.blurry_frames(frames), clip):
                yield self._filmed(clip, frames, blurry)
        elif self.scheme.averages:
            for window in self._windows(clip, frames):
                yield self._average(clip, frames, window, view_of(frames, window.middle))
        elif self.scheme.kind == "synthetic":
            for window in replace(self, scheme=SHARP_FACES)._windows(clip, frames):
                yield self._of_frame(clip, frames, window.middle)
        else:
            for number in self._apart(range(len(frames.frames)), clip):
                yield self._of_frame(clip, frames, number)

    def sequence(self, clip: EvaluationClip, length: int) -> list[Case]:
        """Make the cases of `length` consecutive frames of a clip, in a window that does not move; none without such frames.

        Only for averages without camera shake, because its path is sampled for each case by itself, and with a chosen middle
        frame, because those of windows that grow sequentially do not follow each other.

        Raises:
            InputError: The clip cannot be read.
        """
        if not self.scheme.averages or self.scheme.camera or self.scheme.growth == "sequential":
            return []
        frames = clip.open()
        distinct = distinct_frames(observe(frames.frames, frames.boxes, frames.landmarks))
        for first in spread(max(0, len(distinct) - length + 1), self.random(clip.name, "run")):
            windows = [find_window(distinct, middle, self.scheme, self.response) for middle in range(first, first + length)]
            found = [window for window in windows if window is not None]
            if len(found) == length:
                view = view_of(frames, found[length // 2].middle)
                return [self._average(clip, frames, window, view) for window in found]
        return []

    def random(self, *names: str) -> np.random.Generator:
        """Return a random generator for what has these names, independent of everything else."""
        digest = hashlib.sha256("\0".join([self.scheme.kind, *names]).encode()).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest)])

    def blurry_frames(self, frames: FrameSequence) -> list[BlurryFrame]:
        """Find the frames of a clip that were blurred when they were filmed; see `real_blur`."""
        views = [view_of(frames, number) for number in range(len(frames.frames))]
        crops = [self.crop(frames, number) for number in range(len(frames.frames))]
        observed = observe(frames.frames, frames.boxes, frames.landmarks)
        return blurry_frames(crops, observed, [view.scale for view in views])

    def crop(self, frames: FrameSequence, number: int) -> Image:
        """Return the crop of the face in a frame of a clip, uint8 RGB [256, 256, 3]."""
        return view_of(frames, number).pixels(frames.frames[number], self.response)

    def _filmed(self, clip: EvaluationClip, frames: FrameSequence, blurry: BlurryFrame) -> Case:
        """The case of a frame that was blurred when it was filmed."""
        crop = self.crop(frames, blurry.number)
        return Case(
            case_name(clip, blurry.number), crop, None, clip.group, clip.identity, self.crop(frames, blurry.reference),
            record=self.record(crop) | blurry.record,
        )  # fmt: skip

    def _windows(self, clip: EvaluationClip, frames: FrameSequence) -> Iterator[Window]:
        """The windows that the scheme averages, spread over a clip and apart."""
        distinct = distinct_frames(observe(frames.frames, frames.boxes, frames.landmarks))
        places = {observation.number: place for place, observation in enumerate(distinct)}
        taken: list[int] = []
        for place in self._apart(range(len(distinct)), clip):
            window = find_window(distinct, place, self.scheme, self.response)
            # windows that grow sequentially from different frames may have the same middle, or near ones
            if window is not None and all(abs(places[window.middle] - other) >= self.stride for other in taken):
                taken.append(places[window.middle])
                yield window

    def _apart(self, items: Sequence[ItemT], clip: EvaluationClip) -> Iterator[ItemT]:
        """Every `stride`-th of some items in the order of a clip, in an order in which any first ones are evenly spread."""
        random = self.random(clip.name)
        first = int(random.integers(self.stride)) if self.stride > 1 else 0
        chosen = items[first :: self.stride]
        return (chosen[place] for place in spread(len(chosen), random))

    def _of_frame(self, clip: EvaluationClip, frames: FrameSequence, number: int) -> Case:
        """The case of a frame that is blurred by itself, or not at all."""
        view = view_of(frames, number)
        face = face_in(frames, number, view, view.pixels(frames.frames[number], self.response))
        return self._of_face(clip, case_name(clip, number), face, {"frame": number})

    def _of_face(self, source: EvaluationStill | EvaluationClip, name: str, face: EvaluationFace, record: dict[str, Any]) -> Case:
        kernel = None
        if self.scheme.kind == "synthetic":
            random = self.random(name, "kernel")
            extent = float(random.uniform(*EXTENTS))
            kernel = sample_kernel(random, extent, self.scheme.family)
            record = record | {"extent": round(extent, 2)}
        pair = expose([face.crop], None, self.response, kernel)
        sharp: Image | None = pair.sharp
        reference = None
        if self.scheme.kind == "as-is":
            sharp = None
            reference = source.reference.open().crop if source.reference else None
        # the blur is a convolution of linear intensities: one of code values only if both are the same
        kernel = pair.kernel if self.response.name == "identity" else None
        record = self.record(face.crop) | record
        return Case(
            name, self.noisy(pair.blurry, name), sharp, source.group, source.identity, reference, face.landmarks, kernel, record
        )

    def _average(self, clip: EvaluationClip, frames: FrameSequence, window: Window, view: View) -> Case:
        name = case_name(clip, window.middle)
        extent, path = 1.0, None
        if self.scheme.camera:
            random = self.random(name, "camera")
            extent = float(random.uniform(*CAMERA_EXTENTS))
            # the extent is in pixels of the crop, the path in pixels of the frame
            path = CameraPath.sample(random, window.length, 1.0 + (extent - 1.0) / view.scale, view.width, view.height)
        pair = expose(frames.frames, window, self.response, path, view=view)
        face = face_in(frames, window.middle, view, pair.sharp)
        record = self.record(face.crop) | pair.record | {"frame": window.middle, "extent": round(extent, 2)}
        return Case(name, self.noisy(pair.blurry, name), face.crop, clip.group, clip.identity, None, face.landmarks, None, record)

    def noisy(self, picture: Image, *names: str) -> Image:
        """Add the noise of what has these names to a blurry picture, uint8 [H, W, 3]; sharp and unknown ones stay as they are."""
        if not self.noise or self.scheme.is_real or self.scheme.kind == "sharp":
            return picture
        return add_noise(picture, self.noise, self.random(*names, "noise"))

    def record(self, crop: Image) -> dict[str, Any]:
        """Return the record that every case has; the sharpness is that of the crop before it is blurred."""
        return {
            "scheme": self.scheme.kind,
            "response": self.response.name,
            "seed": self.seed,
            "sharpness": round(sharpness(crop), 1),
        }


def add_noise(picture: Image, deviation: float, random: np.random.Generator) -> Image:
    """Add noise of this standard deviation in code values to a picture, uint8 [H, W, 3]."""
    return np.clip(np.rint(picture + random.normal(0.0, deviation, picture.shape)), 0, 255).astype(np.uint8)


def case_name(clip: EvaluationClip, frame: int) -> str:
    """Return the name of the case whose sharp face is in this frame."""
    return f"{clip.name}/{frame:06d}"


def view_of(frames: FrameSequence, number: int) -> View:
    """Return the window of the face in a frame of a clip: a square of 1.7 times the face box; see `whole_square`."""
    assert frames.boxes is not None
    return View.square(*whole_square(frames.boxes[number]), CROP_SIZE)


def face_in(frames: FrameSequence, number: int, view: View, crop: Image) -> EvaluationFace:
    """Return the face in a view, with its landmarks if they are annotated by hand."""
    landmarks: Points | None = None
    if frames.landmarks is not None and frames.landmarks.shape[1] == COUNT:
        landmarks = points_in(frames.landmarks[number], view.left, view.top, view.scale)
    return EvaluationFace(crop, landmarks)


def spread(count: int, random: np.random.Generator) -> list[int]:
    """Order the numbers 0 to count - 1 so that any number of first ones is evenly spread, from a random start.

    It is the order of the multiples of the golden ratio modulo 1: those of any interval lie at two or three distances from each
    other (three-distance theorem).
    """
    values = (random.random() + GOLDEN * np.arange(count)) % 1.0
    return [int(number) for number in np.argsort(values)]
