"""FaceFinder: follows the faces of a stream; runs the detector on as few pixels as it can."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.detect import Detector
from streamdeblur.faces.face import Face
from streamdeblur.faces.track import FaceTracker, Track
from streamdeblur.faces.window import crop_region
from streamdeblur.video.planes import Planes

LOCAL_REACH = 2.5
"""Side of the local view in face sizes: it still holds a whole face that moved by half its width."""
LOCAL_SIZE = 96
"""Side of the local view in pixels: the face takes about 40 of them."""
LOCAL_EVERY = 3
"""Frames between two local views of a face that is followed by its flow; others are looked at in every frame."""
LOCAL_VIEWS = 4
"""Largest number of local views per frame; with more faces, those detected longest ago come first, the others are predicted."""
COARSE_SIDE = 320
"""Longer side of the second full view, for faces too large for a view that shows the smallest ones."""
LARGEST_VIEW = 1280
"""Longer side of a full view at most."""


class SceneCuts:
    """Detects the first frame of a new shot from its luma."""

    COLUMNS, LINES, LEVELS = 96, 54, 32
    DIFFERENCE, HISTOGRAM = 0.10, 0.35
    """A cut changes the samples by a tenth of their range on average, and a third of them change their level."""

    def __init__(self) -> None:
        self._previous: NDArray[np.int64] | None = None

    def __call__(self, planes: Planes) -> bool:
        """Return whether this frame begins a new shot; False for the first frame."""
        samples = self._samples(planes)
        previous, self._previous = self._previous, samples
        if previous is None or previous.shape != samples.shape:
            return previous is not None
        if np.abs(samples - previous).mean() < self.DIFFERENCE * self.LEVELS:
            return False
        counts = [np.bincount(s.ravel(), minlength=self.LEVELS) for s in (samples, previous)]
        return bool(np.abs(counts[0] - counts[1]).sum() / 2 > self.HISTOGRAM * samples.size)

    def _samples(self, planes: Planes) -> NDArray[np.int64]:
        offset, stride, width, height, shift = planes.memory[0]
        every_x, every_y = max(1, width // self.COLUMNS), max(1, height // self.LINES)
        lines = planes.channels[0][:height:every_y]
        values = lines[:, offset : offset + stride * width : stride * every_x].astype(np.int64)
        values >>= planes.layout.depth + int(shift) - int(math.log2(self.LEVELS))
        # raw frames may have samples beyond the depth that they declare
        return values.clip(max=self.LEVELS - 1)


@dataclass(frozen=True, eq=False)
class _View:
    """A whole frame, reduced."""

    picture: NDArray[np.uint8]
    """uint8 RGB [H, W, 3]."""
    scale: float

    @property
    def longest(self) -> float:
        """Longer side of the frame in pixels."""
        return float(max(self.picture.shape[:2]) / self.scale)


class FaceFinder:
    """Detects on the full frame every `detect_every` frames and when a face was lost, and around each face in between."""

    def __init__(self, detector: Detector, *, detect_every: int = 5, min_face: float = 48.0) -> None:
        self._detector = detector
        self._detect_every = detect_every
        self._min_face = min_face
        self._tracker = FaceTracker(patience=detect_every + 3)
        self.reset()

    def reset(self) -> None:
        """Forget the stream so far."""
        self._tracker.reset()
        self._cuts = SceneCuts()
        self._since_full = self._detect_every
        self._frame = 0
        self._deferred: list[_View] = []
        self.cuts = 0

    def update(self, planes: Planes, until: float | None = None) -> list[Track]:
        """Update the tracks with the next frame of the stream.

        Args:
            planes: The frame.
            until: Time (`time.monotonic`) after which no further local view is detected on; at least one is, and the faces
                alternate. With a limit, full-frame detection, which takes as long as restoring a face, is deferred to `catch_up`
                while there is any track.

        Returns:
            The tracks of the faces of at least `min_face` pixels.
        """
        self.catch_up()
        if self._cuts(planes):
            self.cuts += 1
            self._tracker.reset()
            self._since_full = self._detect_every
        self._tracker.predict()
        self._since_full += 1
        all_viewed = self._follow(planes, until)
        newly_lost = all_viewed and any(track.missed == 1 for track in self._tracker.tracks)
        if self._since_full >= self._detect_every or (newly_lost and self._since_full > 1):
            self._since_full = 0
            self._deferred = self._views(planes)
        if until is None or not self._tracker.tracks:
            self.catch_up()
        self._tracker.prune(planes.width, planes.height)
        return [track for track in self._tracker.tracks if track.size >= 0.9 * self._min_face]

    def catch_up(self) -> None:
        """Run the full-frame detection that was deferred; its faces are followed from the next frame on."""
        views, self._deferred = self._deferred, []
        if views:
            lost = [track for track in self._tracker.tracks if track.missed]
            self._tracker.correct(self._detect_everywhere(views), lost, start=True)

    def _follow(self, planes: Planes, until: float | None) -> bool:
        """Correct the tracks by their flow and by local detection; return whether all that were due had their view."""
        self._frame += 1
        for track in self._tracker.tracks:
            track.follow(planes)
        all_viewed = self._detect_locally(planes, [track for track in self._tracker.tracks if self._due(track)], until)
        for track in self._tracker.tracks:
            track.see(planes)
        return all_viewed

    def _due(self, track: Track) -> bool:
        """Whether a track is detected in this frame; where several are steady, they take turns."""
        return not (track.flowing and track.steady) or (self._frame + track.track_id) % LOCAL_EVERY == 0

    def _detect_locally(self, planes: Planes, tracks: list[Track], until: float | None) -> bool:
        """Correct tracks by detection around their predictions, longest undetected first; return whether all had their view.

        Tracks are always corrected from local views: a full view places the same face slightly elsewhere, which would show as a
        wobble.
        """
        waiting = sorted(tracks, key=lambda track: -track.undetected)[:LOCAL_VIEWS]
        view = np.empty((LOCAL_SIZE, LOCAL_SIZE, 3), np.uint8)
        for number, track in enumerate(waiting, 1):
            side = LOCAL_REACH * track.size
            left, top = track.centre - side / 2
            crop_region(planes, left, top, side, side, view)
            scale = LOCAL_SIZE / side
            faces = [face.moved(scale, left, top) for face in self._detector.detect(view)]
            self._tracker.correct(faces, [track], start=False)
            if track.undetected:
                track.miss()
            if until is not None and time.monotonic() >= until:
                waiting = waiting[:number]
                break
        return len(waiting) == len(tracks)

    def _views(self, planes: Planes) -> list[_View]:
        """Return a view that shows the smallest faces, and where it is large, a coarse one for the largest faces."""
        longest = max(planes.width, planes.height)
        fine = min(1.0, self._detector.smallest_face / self._min_face, LARGEST_VIEW / longest)
        scales = [fine, COARSE_SIDE / longest] if fine * longest > 2 * COARSE_SIDE else [fine]
        return [_view(planes, scale) for scale in scales]

    def _detect_everywhere(self, views: list[_View]) -> list[Face]:
        faces, *coarse = ([face.moved(view.scale, 0, 0) for face in self._detector.detect(view.picture)] for view in views)
        # In the fine view a large face may be detected as several small ones: the coarse view is the better one for it.
        large = [face for found in coarse for face in found if face.size > views[0].longest / 6]
        return [face for face in [*large, *faces] if face.size >= 0.75 * self._min_face]


def _view(planes: Planes, scale: float) -> _View:
    width, height = (max(1, math.ceil(side * scale)) for side in (planes.width, planes.height))
    picture = np.empty((height, width, 3), np.uint8)
    return _View(crop_region(planes, 0, 0, width / scale, height / scale, picture), scale)
