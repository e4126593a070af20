"""FaceSelector: which faces of a frame are restored. They are detected and judged, and those that fit are selected."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.chosen import ChosenFaces
from streamdeblur.faces.crop_size import smallest_fitting
from streamdeblur.faces.decision import FaceDecision, Reason
from streamdeblur.faces.detect import Detector
from streamdeblur.faces.external import Detections, TrackHysteresis, external_faces
from streamdeblur.faces.find import FaceFinder
from streamdeblur.faces.gain import ALWAYS, GainEstimator
from streamdeblur.faces.hysteresis import GainHysteresis
from streamdeblur.faces.judged import JudgedFace, LastFaces
from streamdeblur.faces.memory import FaceMemory
from streamdeblur.faces.reading import HOST, CropReader, FrameCrops
from streamdeblur.faces.scheduler import FaceScheduler
from streamdeblur.faces.steady import SteadyFaces, importance
from streamdeblur.faces.tracked_face import Box, TrackedFace
from streamdeblur.faces.window import CROP_SIZE, FaceWindow
from streamdeblur.known_names import shown
from streamdeblur.options import LARGEST_LOOK_AHEAD
from streamdeblur.setting_types import Only
from streamdeblur.statistics import RestorationStatistics
from streamdeblur.video.planes import Planes, upright_box
from streamdeblur.video.turning import turned_size

DETECTION_SHARE, JUDGING_SHARE = 0.1, 0.5
"""Shares of the time until a deadline after which no more faces are detected, and judged; the rest is for restoring them."""

NEW_FACE, LEAST_WORTH = 3.0, 0.05
"""Gains in dB: the largest that is estimated, and one below which faces that are restored in any case differ by their size."""


@dataclass(frozen=True)
class FrameSettings:
    """What may differ from frame to frame."""

    strength: float
    """Share of the restoration that is added, 0 to 1."""
    threshold: float
    """Gain in dB that is to be expected of a face that is restored; `ALWAYS` for any face."""
    deadline: float | None = None
    """Time (`time.monotonic`) by which the frame is done; None for no limit."""
    look_ahead: int = 0
    """Later frames from which its faces take neighbours."""
    crop_sizes: Sequence[int] = (CROP_SIZE,)
    """Sides of the crops that the engine takes, smallest first."""
    most_faces: int | None = None
    """Number of faces that may be restored; None for all that fit before the deadline."""
    reader: CropReader = HOST
    """Reads the crops."""


@dataclass(frozen=True, eq=False)
class _DetectedFace:
    window: FaceWindow
    box: Box
    hysteresis: GainHysteresis
    track_id: int | None
    remembered_as: Hashable | None
    """What tells the face from others in the memory: the ids of the caller's tracker may be those of the built-in one."""
    presence: float = 1.0
    """Share of its restoration that is shown, since only some faces are chosen."""

    def left(self, reason: Reason) -> FaceDecision:
        """Return why it is left as it is, before it was judged."""
        return FaceDecision(self.track_id, self.box, self.window, reason)


def checked_look_ahead(frames: int) -> int:
    """Return the number of frames that a stream looks ahead.

    Raises:
        ValueError: Not an integer from 0 to `LARGEST_LOOK_AHEAD`.
    """
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or not 0 <= frames <= LARGEST_LOOK_AHEAD:
        raise ValueError(f"A stream looks 0 to {LARGEST_LOOK_AHEAD} frames ahead (got {shown(frames)}).")
    return int(frames)


class FaceSelector:
    """Follows the faces of a stream and selects those to restore; counts them in `statistics`.

    Attributes:
        wanted: Sides in pixels of the windows of the faces in the last frame that would gain from a restoration, the most
            important one first.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        detect_every: int,
        min_face: float,
        window_scale: float,
        memory: int = 0,
        only: Only | None = None,
    ) -> None:
        """Start a stream.

        Args:
            detector: Detects faces where the caller gives none.
            detect_every: Frames between two detections on the full frame.
            min_face: Size in pixels of the smallest face.
            window_scale: Side of a face window in units of the face box.
            memory: Neighbouring crops of a face that are remembered.
            only: Which faces may be restored; None for all.
        """
        self._finder = FaceFinder(detector, detect_every=detect_every, min_face=min_face)
        self._window_scale = window_scale
        self.scheduler = FaceScheduler()
        self.memory = FaceMemory(memory)
        self._last, self._steady, self._chosen = LastFaces(), SteadyFaces(), ChosenFaces(only)
        self.wanted: list[float] = []
        self.reset()

    @property
    def estimator(self) -> GainEstimator:
        """What estimates the gain of restoring a face with this network."""
        return GainEstimator.shipped("memory" if self.memory.entries else "alone")

    def reset(self, *, keep_statistics: bool = False) -> None:
        """Forget the stream so far; its counts and the numbers of its tracks as well, unless they are kept."""
        self._finder.reset(keep_numbers=keep_statistics)
        self._external = TrackHysteresis()
        self.memory.clear()
        self._last.clear()
        self._steady.clear()
        self._chosen.clear()
        self.left: list[FaceDecision] = []
        """The faces of the last frame that are left as they are."""
        self.judged: list[JudgedFace] = []
        """The faces of the last frame that were judged, restored or not."""
        if not keep_statistics:
            self.statistics = RestorationStatistics()

    def use(self, *, window_scale: float, memory: int) -> None:
        """Go on with another network: with its windows, the gain that is expected of it, and an empty memory for it."""
        self._window_scale, self.memory = window_scale, FaceMemory(memory)
        self._last.clear()

    def warm_up(self, width: int, height: int) -> None:
        """Prepare the detector for frames of a size."""
        self._finder.warm_up(width, height)

    def catch_up(self) -> None:
        """Run the full-frame detection that was deferred for a deadline."""
        self._finder.catch_up()

    def select(self, planes: Planes, faces: Detections | None, settings: FrameSettings) -> list[JudgedFace]:
        """Return the faces of the next frame that are to be restored.

        Args:
            planes: The frame.
            faces: Faces of the caller's own tracker; None detects them.
            settings: Deadline of the frame, and the threshold of the gain.
        """
        self.statistics.frames += 1
        self.memory.next_frame()
        self._last.next_frame()
        detection_limit, judging_limit = _limits(settings.deadline)
        self.left = []
        detected = self._only_chosen(planes, self._detected(planes, faces, detection_limit))
        gaining = self._gaining(planes, detected, judging_limit, settings)
        steady = self._steadily(planes, gaining, settings.most_faces)
        fitting = self._fitting(steady, settings)
        for n in set(range(len(steady))).difference(fitting):
            self.missed(steady[n].track_id)
            self.left.append(steady[n].decided("no time"))
        self.statistics.passed_through += len(gaining) - len(fitting)
        return [steady[n] for n in fitting]

    def follow(self, planes: Planes, faces: Detections | None, settings: FrameSettings) -> list[JudgedFace]:
        """Take the next frame as `select` does, but count nothing: it is of use to the frames beside it alone."""
        counted, self.statistics = self.statistics, RestorationStatistics()
        try:
            return self.select(planes, faces, settings)
        finally:
            self.statistics = counted

    def _fitting(self, faces: Sequence[JudgedFace], settings: FrameSettings) -> list[int]:
        """Indices of the faces for which there is time before the deadline, if it is not known already for how many there is."""
        if settings.most_faces is not None:
            too_late = settings.deadline is not None and time.monotonic() >= settings.deadline
            return [] if too_late else list(range(len(faces)))
        priorities, track_ids = [face.priority for face in faces], [face.track_id for face in faces]
        return self.scheduler.select(priorities, track_ids, settings.deadline, [face.cost for face in faces])

    def missed(self, track_id: int | None) -> None:
        """Take note of a face that was not restored in time, so that it comes back gradually."""
        self._steady.missed(track_id)

    def _steadily(self, planes: Planes, gaining: Sequence[JudgedFace], most: int | None) -> list[JudgedFace]:
        """The faces that are restored, the same from frame to frame, with the weights by which they fade in and out."""
        importances = [importance(face.window, planes.width, planes.height) for face in gaining]
        self.wanted = [gaining[n].window.side for n in sorted(range(len(gaining)), key=lambda n: -importances[n])]
        presences = self._steady.choose([face.track_id for face in gaining], importances, most)
        pairs = list(zip(gaining, presences, strict=True))
        self.left += [face.decided("no time") for face, presence in pairs if presence == 0.0]
        return [face.shown(presence) for face, presence in pairs if presence > 0.0]

    def _detected(self, planes: Planes, faces: Detections | None, until: float | None) -> list[_DetectedFace]:
        """The caller's faces, or those of the detector, which looks at less after `until`."""
        scale = self._window_scale
        if faces is None:
            tracks = self._finder.update(planes, until)
            detected = [
                _DetectedFace(
                    track.window(scale), _box(track.box), track.hysteresis, track.track_id, ("detected", track.track_id)
                )
                for track in tracks
            ]
        else:
            detected = [
                _DetectedFace(
                    FaceWindow.around(one.face.box, scale),
                    _box(one.face.box),
                    self._external.of(one.track_id),
                    one.track_id,
                    None if one.track_id is None else ("given", one.track_id),
                )
                for one in external_faces(faces)
            ]
        return [face for face in detected if face.window.inside(planes.width, planes.height)]

    def _only_chosen(self, planes: Planes, faces: list[_DetectedFace]) -> list[_DetectedFace]:
        """The faces that may be restored, each with the share of its restoration that is shown."""
        size = turned_size(planes.width, planes.height, planes.turn)
        if self._chosen.names_tracks:
            for face in faces:
                self.statistics.add_track(face.track_id)
        tracked = [TrackedFace(face.track_id, upright_box(planes, face.box), size) for face in faces]
        presences = self._chosen.presences(tracked)
        pairs = list(zip(faces, presences, strict=True))
        self.left += [face.left("not chosen") for face, presence in pairs if presence == 0.0]
        self.statistics.faces += len(self.left)
        self.statistics.not_chosen += len(self.left)
        return [face if presence == 1.0 else replace(face, presence=presence) for face, presence in pairs if presence > 0.0]

    def _gaining(
        self, planes: Planes, faces: list[_DetectedFace], until: float | None, settings: FrameSettings
    ) -> list[JudgedFace]:
        """The faces that are expected to gain enough; with a time limit, of those that are judged by then, at least one."""
        self.statistics.faces += len(faces)
        if until is not None:
            faces = sorted(faces, key=lambda face: -face.window.side * _worth(face.hysteresis.gain))
        gaining, self.judged = [], []
        remembered = [self.memory.lumas(face.remembered_as) for face in faces]
        crops = settings.reader.begin(planes, [face.window for face in faces], remembered)
        for number, face in enumerate(faces):
            if until is not None and number and time.monotonic() >= until:
                self.statistics.passed_through += len(faces) - number
                self.left += [one.left("no time") for one in faces[number:]]
                break
            judged = self._judged(planes, face, crops, settings).shown(face.presence)
            self.judged.append(judged)
            self.statistics.add_gain(judged.gain)
            if judged.weight > 0.0:
                gaining.append(judged)
            else:
                self.statistics.skipped_sharp += 1
                self.left.append(judged.decided())
        return gaining

    def _judged(self, planes: Planes, face: _DetectedFace, crops: FrameCrops, settings: FrameSettings) -> JudgedFace:
        """Read the crop of a face, weigh its restoration by the gain to be expected, and remember it, restored or not.

        In a copy of the frame before, everything is as it was, window and size of the crop as well: the two come out alike.
        """
        track, side = face.remembered_as, face.window.side
        repeated = self._last.repeated(track, planes, face.window, crops, threshold=settings.threshold)
        # an engine that took over may not take crops of this size
        if repeated is not None and repeated.crop_size in settings.crop_sizes:
            self.memory.seen_again(track)
            return repeated
        read = crops.read(face.window, smallest_fitting(side, settings.crop_sizes, self._last.crop_size(track)))
        gain = read.gain(self.estimator)
        weight = face.hysteresis.update(gain, settings.threshold)
        weight = 1.0 if settings.threshold == ALWAYS else weight
        reason = _reason(weight, gain, settings.threshold)
        neighbours = self.memory.remember(track, read, settings.look_ahead)
        judged = JudgedFace(
            face.window, face.box, read, weight, gain, _worth(face.hysteresis.gain) * side, face.track_id, reason, neighbours
        )  # fmt: skip
        self._last.keep(track, planes, judged, threshold=settings.threshold)
        return judged


def _reason(weight: float, gain: float, threshold: float) -> Reason:
    """Why a face is restored with this weight."""
    if weight == 0.0:
        return "too little gain"
    if threshold == ALWAYS:
        return "always"
    return "gain" if gain > threshold else "held"


def _box(box: NDArray[np.floating]) -> Box:
    x0, y0, x1, y1 = map(float, box)
    return x0, y0, x1, y1


def _worth(gain: float | None) -> float:
    """What a face weighs for its gain: a new one as much as any, and one that gains nothing still something."""
    return NEW_FACE if gain is None else max(gain, LEAST_WORTH)


def _limits(deadline: float | None) -> tuple[float | None, float | None]:
    """Times (`time.monotonic`) until which the faces of a frame are detected, and judged."""
    if deadline is None:
        return None, None
    now = time.monotonic()
    return now + DETECTION_SHARE * (deadline - now), now + JUDGING_SHARE * (deadline - now)
