"""RunMaker: runs of consecutive exposures of one face, as a stream shows them, for methods that see several.

The camera's path goes on through a run, the window follows the face as a tracker's does, and noise is drawn anew for each
exposure. Exposures never overlap, because those of no camera do: a method that sees averages of frames which overlap can undo the
sliding sum. Sliding averages are made under a name of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from streamdeblur.evaluation.case_maker import CAMERA_EXTENTS, EXTENTS, CaseMaker, case_name, face_in, spread, view_of
from streamdeblur.evaluation.cases import Case, Image, Neighbours, Points, Run
from streamdeblur.evaluation.sources.dataset import EvaluationClip, EvaluationStill
from streamdeblur.training.blur.averaging import FrameSequence, Window, distinct_frames, find_window, pravg
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import Kernel, expose
from streamdeblur.training.blur.observation import Observation, observe
from streamdeblur.training.blur.shake import Shake, kernel_at
from streamdeblur.training.blur.view import View

LEAD = 2
"""Exposures of a run before the first that is restored."""
RESTORED = 3
"""Exposures of a run that are restored; the last of them is the present one."""
RESTORED_AS_IS = 9
"""The same of blurry footage, whose landmarks are compared with a track that is smoothed over several frames."""
AHEAD = 1
"""Exposures of a run after the present one."""
DUTY = (0.3, 1.0)
"""Range of the fraction of a frame interval with an open shutter, of synthetic blur."""
DRIFT = np.array([0.8, 0.7, 0.004, 0.004])
"""What a tracker leaves from one exposure of a still to the next: standard deviations of x and y in pixels, of the angle in
radians, and of the logarithm of the scale. Steps add up.

In crops of 256 px whose windows the tracker of this package placed in ten public videos of people who talk and walk, features
of the face move by 0.7, 0.5, 0.003 and 0.003 from one frame to the next (1.48 times the median of absolute values, 1,305 pairs
of frames), by 1.0, 0.9, 0.006 and 0.006 over two frames, and by 1.3, 1.2, 0.007 and 0.007 over three.
"""


@dataclass(frozen=True)
class Exposure:
    """One exposure of a run."""

    blurry: Image
    sharp: Image | None
    """None where it is unknown."""
    landmarks: Points | None
    record: dict[str, Any]


@dataclass(frozen=True)
class RunMaker:
    """Makes the runs of one picture or clip. Each depends only on the seed and its own name."""

    maker: CaseMaker
    """Holds scheme, response, seed and noise."""
    sliding: bool = False
    """Whether each average begins one frame after the one before, instead of where that one ends."""

    @property
    def restored(self) -> int:
        """Exposures of a run that are restored."""
        return RESTORED_AS_IS if self.maker.scheme.is_real else RESTORED

    @property
    def present(self) -> int:
        """Index of the present exposure."""
        return LEAD + self.restored - 1

    @property
    def length(self) -> int:
        """Exposures of a run."""
        return self.present + 1 + AHEAD

    def still(self, still: EvaluationStill) -> Iterator[Run]:
        """Make the one run of a picture, whose face moves no more than a tracker leaves.

        Raises:
            InputError: The picture cannot be read.
        """
        if self.maker.scheme.kind not in ("synthetic", "sharp"):
            return
        face = still.open()
        random = self.maker.random(still.name, "drift")
        drift = np.cumsum(np.clip(random.standard_normal((self.length, 4)), -3.0, 3.0) * DRIFT, 0)
        drift -= drift[self.present]
        crops = [_moved(face.crop, *own.tolist()) for own in drift]
        landmarks = [face.landmarks if n == self.present else None for n in range(self.length)]
        exposures = self._shaken(still.name, crops, landmarks)
        yield self._run(still.name, still, exposures)

    def clip(self, clip: EvaluationClip) -> Iterator[Run]:
        """Make the runs of a clip, in an order in which any number of first ones is evenly spread over it.

        Raises:
            InputError: The clip cannot be read.
        """
        frames = clip.open()
        distinct = distinct_frames(observe(frames.frames, frames.boxes, frames.landmarks))
        references = self._references(frames)
        names: set[str] = set()
        for place in self._presents(clip, distinct, references):
            if self.maker.scheme.averages:
                windows = self._windows(distinct, place)
                name = case_name(clip, windows[self.present].middle) if windows else ""
                # windows that grow sequentially from different frames may have the same middle
                exposures = self._averages(name, frames, windows) if windows and name not in names else []
            else:
                shown = _consecutive(distinct, place - self.present, self.length)
                name = case_name(clip, distinct[place].number)
                exposures = self._frames(name, frames, [one.number for one in shown]) if shown else []
            if exposures:
                names.add(name)
                reference = references.get(distinct[place].number)
                yield self._run(name, clip, exposures, None if reference is None else self.maker.crop(frames, reference))

    def _references(self, frames: FrameSequence) -> dict[int, int]:
        """The sharp frame for each one that was blurred when it was filmed; empty under other schemes."""
        if self.maker.scheme.kind != "real-blur":
            return {}
        return {frame.number: frame.reference for frame in self.maker.blurry_frames(frames)}

    def _presents(self, clip: EvaluationClip, distinct: Sequence[Observation], references: Mapping[int, int]) -> list[int]:
        """Indices of the observations that may be the present of a run, in an order whose beginnings are spread over the clip."""
        real = self.maker.scheme.kind == "real-blur"
        indices = [n for n, one in enumerate(distinct) if not real or one.number in references]
        return [indices[n] for n in spread(len(indices), self.maker.random(clip.name))]

    def _windows(self, distinct: Sequence[Observation], place: int) -> list[Window]:
        """The averages of a run, all of the present one's length; none where the clip or the shot has no room for them."""
        middle = find_window(distinct, place, self.maker.scheme, self.maker.response)
        if middle is None:
            return []
        present = next(index for index, one in enumerate(distinct) if one.number == middle.middle)
        stride, reach = (1 if self.sliding else middle.length), middle.length // 2
        first = present - self.present * stride
        if not _consecutive(distinct, first - reach, (self.length - 1) * stride + middle.length):
            return []
        found = [pravg(distinct, first + n * stride, middle.length) for n in range(self.length)]
        # what is known of the present average stays in its record, such as the rule that ended it
        found[self.present] = middle
        return [window for window in found if window is not None]

    def _averages(self, name: str, frames: FrameSequence, windows: Sequence[Window]) -> list[Exposure]:
        views = _following(frames, [window.middle for window in windows], self.present)
        extent = 1.0
        paths: Sequence[CameraPath | None] = [None] * len(windows)
        if self.maker.scheme.camera:
            random = self.maker.random(name, "camera")
            extent = float(random.uniform(*CAMERA_EXTENTS))
            view, length = views[self.present], windows[self.present].length
            # the extent is in pixels of the crop, the path in pixels of the frame
            paths = CameraPath.sample_run(
                random, len(windows), length, 1.0 + (extent - 1.0) / view.scale, view.width, view.height, self.present
            )
        exposures = []
        for window, view, path in zip(windows, views, paths, strict=True):
            pair = expose(frames.frames, window, self.maker.response, path, view=view)
            face = face_in(frames, window.middle, view, pair.sharp)
            record = self.maker.record(face.crop) | pair.record | {"frame": window.middle, "extent": round(extent, 2)}
            exposures.append(Exposure(pair.blurry, face.crop, face.landmarks, record))
        return exposures

    def _frames(self, name: str, frames: FrameSequence, numbers: Sequence[int]) -> list[Exposure]:
        """Consecutive frames of a clip, each an exposure."""
        views = _following(frames, numbers, self.present)
        faces = [
            face_in(frames, number, view, view.pixels(frames.frames[number], self.maker.response))
            for number, view in zip(numbers, views, strict=True)
        ]
        return self._shaken(name, [face.crop for face in faces], [face.landmarks for face in faces])

    def _shaken(self, name: str, crops: Sequence[Image], landmarks: Sequence[Points | None]) -> list[Exposure]:
        """The exposures of sharp faces: blurred by the kernels of one camera path, or as they are."""
        scheme, response = self.maker.scheme, self.maker.response
        record: dict[str, Any] = {}
        kernels: Sequence[Kernel | None] = [None] * len(crops)
        if scheme.kind == "synthetic":
            random = self.maker.random(name, "kernel")
            extent, duty = float(random.uniform(*EXTENTS)), float(random.uniform(*DUTY))
            shake = Shake.sample(random, len(crops), extent, duty, scheme.family, self.present)
            kernels = [kernel_at(positions) for positions in shake.positions]
            record = {"extent": round(extent, 2), "duty": round(duty, 2)}
        exposures = []
        for crop, points, kernel in zip(crops, landmarks, kernels, strict=True):
            pair = expose([crop], None, response, kernel)
            sharp = None if scheme.is_real else pair.sharp
            exposures.append(Exposure(pair.blurry, sharp, points, self.maker.record(crop) | record))
        return exposures

    def _run(
        self, name: str, source: EvaluationStill | EvaluationClip, exposures: Sequence[Exposure], reference: Image | None = None
    ) -> Run:
        """The cases of the exposures that are restored; the names of those before the present one say how far they are."""
        names = [name if n == self.present else f"{name}/{n - self.present:+d}" for n in range(len(exposures))]
        noisy = [self.maker.noisy(one.blurry, own) for one, own in zip(exposures, names, strict=True)]
        return [
            Case(
                names[n], noisy[n], exposures[n].sharp, source.group, source.identity, reference,
                landmarks=exposures[n].landmarks, record=exposures[n].record,
                neighbours=Neighbours(tuple(noisy[:n]), tuple(noisy[n + 1 :])),
            )
            for n in range(LEAD, self.present + 1)
        ]  # fmt: skip


def _consecutive(distinct: Sequence[Observation], first: int, count: int) -> Sequence[Observation]:
    """Observations that follow each other; none if they would reach beyond the clip or across a cut."""
    chosen = distinct[first : first + count] if first >= 0 else []
    return chosen if len(chosen) == count and not any(one.cut for one in chosen[1:]) else []


def _following(frames: FrameSequence, numbers: Sequence[int], present: int) -> list[View]:
    """The windows of frames: as large as that of the present one, each around its own face, as a tracker's are."""
    assert frames.boxes is not None
    return view_of(frames, numbers[present]).following(np.stack([frames.boxes[number] for number in numbers]), present)


def _moved(crop: Image, x: float, y: float, angle: float, log_scale: float) -> Image:
    """A picture moved, turned around its middle and scaled, mirrored beyond its border."""
    if not any((x, y, angle, log_scale)):
        return crop
    height, width = crop.shape[:2]
    centre = (width - 1) / 2, (height - 1) / 2
    matrix = cv2.getRotationMatrix2D(centre, math.degrees(angle), math.exp(log_scale))
    matrix[:, 2] += np.array([x, y])
    moved = cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)
