"""FaceTracker: one track id and one smooth window per face over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.face import Face, intersection_over_union
from streamdeblur.faces.flow import FaceFlow
from streamdeblur.faces.hysteresis import GainHysteresis
from streamdeblur.faces.window import FaceWindow
from streamdeblur.video.planes import Planes

STILL_GAIN = 0.06
"""Share of a small innovation that is followed: detections of a still face jitter by about 1 % of its size."""
JITTER, MOTION = 0.025, 0.12
"""Innovations, in face sizes: below the first it is jitter, above the second it is motion and followed at once."""
VELOCITY_GAIN = 0.35
"""Share of the innovation, as far as it is motion, that goes into the velocity."""
VELOCITY_DECAY = 0.85
"""Velocity kept from frame to frame: a face that is lost comes to rest, one that moves keeps being pushed."""
SIZE_JITTER, SIZE_MOTION = 0.06, 0.30
"""The same for the logarithm of the size."""
REACH = 1.2
"""Farthest distance, in face sizes, between prediction and detection of one face."""
SIZE_RATIO = 2.0
"""Largest ratio of the two sizes."""
SAME_FACE = 0.5
"""Two tracks whose boxes share this much (IoU) follow the same face."""


def _followed(innovation: float, jitter: float, motion: float) -> float:
    """Gain in [STILL_GAIN, 1] for a normalised innovation: smoothstep from jitter to motion."""
    t = min(max((innovation - jitter) / (motion - jitter), 0.0), 1.0)
    return STILL_GAIN + (1.0 - STILL_GAIN) * t * t * (3.0 - 2.0 * t)


SETTLED = 6
"""Detections after which the flow of a face is relied on in between."""


@dataclass(eq=False)
class Track:
    """A face over time: it is moved by its flow from frame to frame, and corrected by detections.

    Where there is no flow, a constant velocity is assumed. The gain of a correction grows with the innovation.
    """

    track_id: int
    centre: NDArray[np.float64]
    """float64 [2]: x, y in pixels, predicted or corrected."""
    size: float
    """Longer side of the face box in pixels."""
    aspect: NDArray[np.float64] = field(default_factory=lambda: np.array([1.0, 1.0]))
    """Width and height of the box in units of `size`."""
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """Pixels per frame."""
    missed: int = 0
    """Looks since the last detection that did not find the face."""
    unanswered: int = 0
    """Frames since the first of them, that one included."""
    undetected: int = 0
    """Frames since the last detection; not each of them had a look."""
    corrections: int = 0
    """Detections taken in: the first ones are averaged, so that a poor first box is soon forgotten."""
    flow: FaceFlow = field(default_factory=FaceFlow, repr=False)
    flowing: bool = False
    """Whether its flow is known in this frame."""
    steady: bool = False
    """Whether the last detection was about where the flow had led."""
    hysteresis: GainHysteresis = field(default_factory=GainHysteresis, repr=False)

    @classmethod
    def start(cls, track_id: int, face: Face) -> Track:
        width, height = face.box[2] - face.box[0], face.box[3] - face.box[1]
        aspect = np.array([width, height]) / face.size
        return cls(track_id, _centre(face), face.size, aspect)

    @property
    def box(self) -> NDArray[np.float64]:
        half = self.size * self.aspect / 2
        return np.concatenate([self.centre - half, self.centre + half])

    @property
    def known(self) -> bool:
        """Whether it was detected more than twice: what is detected once or twice and then no more is rarely a face."""
        return self.corrections > 2

    def window(self, scale: float) -> FaceWindow:
        """The square window, `scale` times the face."""
        return FaceWindow(float(self.centre[0]), float(self.centre[1]), scale * self.size)

    def predict(self) -> None:
        """Move on by one frame."""
        self.centre = self.centre + self.velocity
        self.velocity = self.velocity * VELOCITY_DECAY
        self.undetected += 1
        self.unanswered += self.missed > 0

    def follow(self, planes: Planes) -> None:
        """Move from the prediction to where the face of the last frame is found in this one."""
        before = self.centre - self.velocity / VELOCITY_DECAY
        found = self.flow.find(planes, self.centre)
        self.flowing = found is not None
        if found is not None:
            self.centre, self.velocity = found, found - before

    def leave_flow(self) -> None:
        """Do without flow in this frame."""
        self.flowing = False
        self.flow.forget()

    def see(self, planes: Planes) -> None:
        """Keep what the face looks like in this frame, if it was seen."""
        if self.flowing or not self.undetected:
            self.flow.keep(planes, self.centre, self.size)
        else:
            self.flow.forget()

    def miss(self) -> None:
        """Note a look that did not find the face: it is looked for in each frame from now on."""
        self.unanswered = self.unanswered or 1
        self.missed += 1
        self.steady = False

    def correct(self, face: Face) -> None:
        """Take in the detection of this frame."""
        self.corrections += 1
        average = 1.0 / self.corrections
        innovation = _centre(face) - self.centre
        apart = float(np.hypot(*innovation)) / self.size
        gain = max(average, _followed(apart, JITTER, MOTION))
        self.centre = self.centre + gain * innovation
        self.steady = self.flowing and self.corrections >= SETTLED and apart < 2 * JITTER
        if self.corrections > 2 and not self.flowing:
            self.velocity = self.velocity + VELOCITY_GAIN * (gain - STILL_GAIN) / (1 - STILL_GAIN) * innovation
        growth = float(np.log(face.size / self.size))
        self.size *= float(np.exp(max(average, _followed(abs(growth), SIZE_JITTER, SIZE_MOTION)) * growth))
        self.missed = self.unanswered = self.undetected = 0

    def distance(self, face: Face) -> float:
        """How far a detection is from the prediction, in face sizes; infinite where it cannot be the same face."""
        ratio = face.size / self.size
        apart = float(np.hypot(*(_centre(face) - self.centre))) / self.size
        return apart if apart < REACH and 1 / SIZE_RATIO < ratio < SIZE_RATIO else float("inf")

    def holds(self, face: Face) -> bool:
        """Return whether a detection lies in the middle of this face, which it is then a part of."""
        return bool((np.abs(_centre(face) - self.centre) < self.size / 3).all())


def _centre(face: Face) -> NDArray[np.float64]:
    return (face.box[:2] + face.box[2:]).astype(np.float64) / 2


class FaceTracker:
    """Keeps the tracks of a stream. Each frame: `predict`, then `correct` with what was detected.

    Attributes:
        tracks: The present ones.
        next_id: Id of the track that begins next.
    """

    def __init__(self, patience: int = 12) -> None:
        """`patience`: frames after which a track ends that each look has missed since."""
        self.tracks: list[Track] = []
        self._patience = patience
        self.next_id = 1

    def reset(self) -> None:
        """Forget all tracks (a scene cut); track ids are not used again."""
        self.tracks = []

    def predict(self) -> None:
        """Move all tracks on by one frame."""
        for track in self.tracks:
            track.predict()

    def correct(self, faces: Sequence[Face], tracks: Sequence[Track], *, start: bool) -> None:
        """Give each of `tracks` the face that is nearest to its prediction; `start` tracks for faces that nobody took.

        Pairs are made in order of distance, each face and track once. A face that is nearer to another track, which was not
        missed lately, is that one's.
        """
        pairs = sorted(
            (distance, t, f)
            for t, track in enumerate(tracks)
            for f, face in enumerate(faces)
            if (distance := track.distance(face)) < float("inf")
        )
        if pairs:
            nearest = self._nearest_others(faces, tracks)
            pairs = [pair for pair in pairs if pair[0] <= nearest[pair[2]]]
        taken_tracks: set[int] = set()
        taken_faces: set[int] = set()
        for _, t, f in pairs:
            if t not in taken_tracks and f not in taken_faces:
                tracks[t].correct(faces[f])
                taken_tracks.add(t)
                taken_faces.add(f)
        if start:
            for f, face in enumerate(faces):
                if f not in taken_faces and not self._known(face):
                    self.tracks.append(Track.start(self.next_id, face))
                    self.next_id += 1

    def _nearest_others(self, faces: Sequence[Face], tracks: Sequence[Track]) -> NDArray[np.float64]:
        """The distance of each face from the nearest track that is not among `tracks` and was not missed lately, [N]."""
        own = {track.track_id for track in tracks}
        others = [track for track in self.tracks if track.missed == 0 and track.track_id not in own]
        if not others:
            return np.full(len(faces), np.inf)
        centres, sizes = np.array([other.centre for other in others]), np.array([other.size for other in others])
        apart = np.linalg.norm(np.array([_centre(face) for face in faces])[:, None] - centres, axis=-1) / sizes
        ratios = np.array([[face.size] for face in faces]) / sizes
        alike = (apart < REACH) & (ratios > 1 / SIZE_RATIO) & (ratios < SIZE_RATIO)
        return np.asarray(np.where(alike, apart, np.inf).min(axis=1))

    def _known(self, face: Face) -> bool:
        """Whether a track of this frame follows the face already, or one that this is a part of."""
        return any(track.missed == 0 and (track.distance(face) < 0.5 or track.holds(face)) for track in self.tracks)

    def prune(self, width: int, height: int) -> None:
        """End tracks that were lost, left the frame, or follow the same face as an older one."""
        kept: list[Track] = []
        for track in self.tracks:
            followed = track.unanswered <= self._patience and track.window(1.0).inside(width, height)
            if followed and all(intersection_over_union(track.box, other.box) < SAME_FACE for other in kept):
                kept.append(track)
        self.tracks = kept
