"""FaceFinder: follows the faces of a stream; runs the detector on as few pixels as it can."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.detect import Detector
from streamdeblur.faces.face import Face
from streamdeblur.faces.search import FullSearch, Region, View
from streamdeblur.faces.track import FaceTracker, Track
from streamdeblur.faces.window import FaceWindow
from streamdeblur.video.planes import Planes

LOCAL_REACH = 2.5
"""Side of the local view in face sizes: it still holds a whole face that moved by half its width."""
LOCAL_SIZE = 96
"""Side of the local view in pixels: the face takes about 40 of them."""
STEADY_SIZE = 64
"""The same of a face that is followed by its flow: it is at the same scale, and less is seen around it."""
LOCAL_EVERY = 4
"""Frames between two local views of a face that is followed by its flow; others are looked at in every frame."""
LOCAL_VIEWS = 4
"""Largest number of local views per frame; with more faces, those detected longest ago come first, the others are predicted."""


class FrameChanges:
    """Compares frames by some samples of their luma: tells the first frame of a new shot, and what comes into a still picture."""

    COLUMNS, LINES, LEVELS = 96, 54, 32
    DIFFERENCE, HISTOGRAM = 0.10, 0.35
    """A cut changes the samples by a tenth of their range on average, and a third of them change their level."""
    CHANGED, FEWEST, STILL, MOVED = 3, 12, 0.2, 0.25
    """Levels by which noise does not change a sample; number of samples that the smallest face changes; shares of the samples
    that change from frame to frame, and since a search, while the camera is still."""

    def __init__(self) -> None:
        self._previous: NDArray[np.int16] | None = None
        self._searched: NDArray[np.int16] | None = None
        self._moving = False
        self._size = self._every = 1, 1

    def __call__(self, planes: Planes) -> bool:
        """Return whether this frame begins a new shot; False for the first frame."""
        samples, size = self._samples(planes), (planes.width, planes.height)
        previous, self._previous = self._previous, samples
        same_size, self._size = size == self._size, size
        if previous is None or not same_size:
            self._searched = None
            return previous is not None
        differences = np.abs(samples - previous)
        self._moving = bool(np.count_nonzero(differences >= self.CHANGED) > self.STILL * samples.size)
        if differences.mean() < self.DIFFERENCE * self.LEVELS:
            return False
        counts = [np.bincount(s.ravel(), minlength=self.LEVELS) for s in (samples, previous)]
        return bool(np.abs(counts[0] - counts[1]).sum() / 2 > self.HISTOGRAM * samples.size)

    def searched(self) -> None:
        """Note that the whole of this frame is searched for faces."""
        self._searched = self._previous

    def newcomers(self, faces: Sequence[FaceWindow]) -> bool:
        """Return whether somebody may have come in since the whole frame was searched, beside the people with these faces.

        Where the camera moves everything changes, and nothing is known; then frames are compared with this one from now on.
        """
        if self._previous is None or self._searched is None or self._moving:
            return False
        changed = np.abs(self._previous - self._searched) >= self.CHANGED
        if np.count_nonzero(changed) > self.MOVED * changed.size:
            self._searched = self._previous
            return False
        across, down = self._every
        for face in faces:
            # a person: three faces wide, from the hair to the lower border
            left, right, top = face.centre_x - 1.5 * face.side, face.centre_x + 1.5 * face.side, face.centre_y - face.side
            changed[max(0, int(top / down)) :, max(0, int(left / across)) : max(0, int(right / across) + 1)] = False
        return bool(np.count_nonzero(changed) >= self.FEWEST)

    def _samples(self, planes: Planes) -> NDArray[np.int16]:
        offset, stride, width, height, shift = map(int, planes.memory[0])
        every_x, every_y = self._every = max(1, width // self.COLUMNS), max(1, height // self.LINES)
        lines = planes.channels[0][:height:every_y]
        values = lines[:, offset : offset + stride * width : stride * every_x]
        levels = (values >> (planes.layout.depth + shift - int(math.log2(self.LEVELS)))).astype(np.int16)
        # raw frames may have samples beyond the depth that they declare
        return np.minimum(levels, self.LEVELS - 1, out=levels)


class FaceFinder:
    """Follows known faces by detection around them and, in real time, by their flow, and searches the frame for others.

    The search takes place every `detect_every` frames, and when a face was lost. It is of the whole frame. Only in real time,
    while all known faces are followed and nothing came into a picture that is still otherwise, it looks at less, in turns.
    """

    def __init__(self, detector: Detector, *, detect_every: int = 5, min_face: float = 48.0) -> None:
        self._detector = detector
        self._detect_every = detect_every
        self._min_face = min_face
        self._tracker = FaceTracker(patience=detect_every + 3)
        self.reset()

    def reset(self, *, keep_numbers: bool = False) -> None:
        """Forget the stream so far; tracks are numbered from 1 again, unless their numbers are kept."""
        self._tracker.reset()
        if not keep_numbers:
            self._tracker.next_id = 1
        self._changes = FrameChanges()
        self._search = FullSearch(self._detector.smallest_face, self._min_face)
        self._since_full = self._detect_every
        self._waiting: deque[list[Region]] = deque()
        self._frame, self._first_id = 0, self._tracker.next_id
        self._deferred: list[tuple[Region, View]] = []
        self.cuts = 0

    def warm_up(self, width: int, height: int) -> None:
        """Detect once on views of all sizes that frames of a size are looked at in, since detectors compile for each."""
        search = FullSearch(self._detector.smallest_face, self._min_face)
        shapes = {(LOCAL_SIZE, LOCAL_SIZE), (STEADY_SIZE, STEADY_SIZE)} | search.shapes(width, height)
        for rows, columns in sorted(shapes):
            self._detector.detect(np.full((rows, columns, 3), 128, np.uint8))

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
        if self._changes(planes):
            self.cuts += 1
            self._tracker.reset()
            self._since_full = self._detect_every
        self._tracker.predict()
        self._since_full += 1
        all_viewed = self._follow(planes, until)
        newly_lost = all_viewed and any(track.missed == 1 and track.known for track in self._tracker.tracks)
        if self._since_full >= self._detect_every or (newly_lost and self._since_full > 1):
            self._begin_search(planes, in_real_time=until is not None)
        put_off = until is not None and len(self._tracker.tracks) > 0
        while self._waiting and not self._deferred:
            # large faces first: a part of one may look like a small one. Views are read one at a time, which bounds the memory
            seen = ((region, region.read(planes)) for region in reversed(self._waiting.popleft()))
            if put_off:
                self._deferred = list(seen)
            else:
                self._take_in(seen)
        self._tracker.prune(planes.width, planes.height)
        return [track for track in self._tracker.tracks if track.size >= 0.9 * self._min_face]

    def _begin_search(self, planes: Planes, *, in_real_time: bool) -> None:
        """Choose what is searched for new faces, in this frame and those after it.

        It is everything, at once, unless time is short, all known faces are followed and nothing shows that others came in. Then
        it is the next view, in parts, when all parts of the last one have been looked at.
        """
        tracks = self._tracker.tracks
        lost = not tracks or any(track.missed and track.known for track in tracks)
        if not in_real_time or lost or self._changes.newcomers([track.window(1.0) for track in tracks]):
            self._changes.searched()
            self._waiting = deque([self._search.whole(planes.width, planes.height, tiled=not in_real_time)])
        elif self._waiting:
            return
        else:
            self._waiting = deque([region] for region in self._search.turn(planes.width, planes.height))
        self._since_full = 0

    def catch_up(self) -> None:
        """Run the full-frame detection that was deferred; its faces are followed from the next frame on."""
        seen, self._deferred = self._deferred, []
        if seen:
            self._take_in(seen)

    def _take_in(self, seen: Iterable[tuple[Region, View]]) -> None:
        """Detect in views of regions; follow the faces that are new, and those that were lost."""
        found = [face for region, view in seen for face in self._detect(view) if region.takes(face)]
        lost = [track for track in self._tracker.tracks if track.missed]
        self._tracker.correct([face for face in found if face.size >= 0.75 * self._min_face], lost, start=True)

    def _follow(self, planes: Planes, until: float | None) -> bool:
        """Correct the tracks by local detection, and where time is short by their flow; return whether all had their view.

        Flow saves detections. Windows that detections place are as good, or a little better: where a shaken camera was filmed
        (30 px per exposure), restored faces lost 0.1 dB by it.
        """
        self._frame += 1
        if until is None:
            for track in self._tracker.tracks:
                track.leave_flow()
            return self._detect_locally(planes, self._tracker.tracks, until)
        for track in self._tracker.tracks:
            track.follow(planes)
        all_viewed = self._detect_locally(planes, [track for track in self._tracker.tracks if self._due(track)], until)
        for track in self._tracker.tracks:
            track.see(planes)
        return all_viewed

    def _due(self, track: Track) -> bool:
        """Whether a track is detected in this frame; where several are steady, they take turns, the same in every stream."""
        return not (track.flowing and track.steady) or (self._frame + track.track_id - self._first_id) % LOCAL_EVERY == 0

    def _detect_locally(self, planes: Planes, tracks: list[Track], until: float | None) -> bool:
        """Correct tracks by detection around their predictions, longest undetected first; return whether all had their view.

        Tracks are always corrected from local views: a full view places the same face slightly elsewhere, which would show as a
        wobble.
        """
        waiting = sorted(tracks, key=lambda track: -track.undetected)[:LOCAL_VIEWS]
        for number, track in enumerate(waiting, 1):
            pixels = STEADY_SIZE if track.flowing and track.steady else LOCAL_SIZE
            side = LOCAL_REACH * track.size * pixels / LOCAL_SIZE
            left, top = track.centre - side / 2
            view = View.read(planes, left, top, pixels / side, pixels, pixels)
            self._tracker.correct(self._detect(view), [track], start=False)
            if track.undetected:
                track.miss()
            if until is not None and time.monotonic() >= until:
                waiting = waiting[:number]
                break
        return len(waiting) == len(tracks)

    def _detect(self, view: View) -> list[Face]:
        return [view.in_frame(face) for face in self._detector.detect(view.picture)]
