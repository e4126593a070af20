"""First pass over compared videos: the frames that all of them have, and the faces of the sharp one, or else of the first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from streamdeblur.errors import InputError
from streamdeblur.evaluation.comparison.synchronised import SynchronisedFrames, synchronised_frames
from streamdeblur.evaluation.sources.annotated_video import consecutive_ranges
from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.find import FaceFinder
from streamdeblur.faces.track import Track
from streamdeblur.options import RestorationOptions
from streamdeblur.training.datasets.clip_windows import whole_square
from streamdeblur.training.datasets.tracks import MISSED, is_whole

SEQUENCE_LENGTH = 12
"""Frames of a sequence: about half a second."""
MAX_SEQUENCES = 24
"""Sequences of all faces together that temporal stability is measured on."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """A face in a frame of the sharp video, and its window: a square in whole pixels, which may extend beyond the border."""

    number: int
    """Number of the frame, from 0."""
    seconds: float
    """Seconds since the first frame."""
    track: int
    """Track id of the face."""
    left: int
    top: int
    side: int

    @property
    def name(self) -> str:
        return f"face{self.track}/{self.number:06d}"


@dataclass(frozen=True)
class DetectedFaces:
    """The faces of the sharp video, in frames that all videos have."""

    sharp: Path
    """The video whose faces these are: the sharp one, or where none is known the first of the others."""
    others: tuple[Path, ...]
    matched: int
    """Frames that all videos have."""
    total: int | None
    """Frames of the sharp video; None if its file does not state it."""
    detections: list[DetectedFace] = field(repr=False)
    """Faces in the order of the frames."""
    reference: bool = True
    """Whether a sharp video is known."""

    def __str__(self) -> str:
        of = f" of {self.total}" if self.total else ""
        return f"{self.matched}{of} frames of {self.sharp.name} are in all videos, with {len(self.detections)} faces"

    def spread(self, limit: int | None) -> list[DetectedFace]:
        """Choose up to `limit` faces: of each track in proportion to its length, evenly spaced."""
        ordered = sorted(self.detections, key=lambda face: (face.track, face.number))
        return _evenly(ordered, limit or len(ordered))

    def sequence_starts(self) -> list[DetectedFace]:
        """Find the first face of each sequence of `SEQUENCE_LENGTH` consecutive frames of a track, `MAX_SEQUENCES` at most."""
        by_track = defaultdict[int, dict[int, DetectedFace]](dict)
        for detection in self.detections:
            by_track[detection.track][detection.number] = detection
        starts = [
            track[begin]
            for track in by_track.values()
            for begin, end in consecutive_ranges([*track], SEQUENCE_LENGTH)
            if end - begin == SEQUENCE_LENGTH
        ]
        return _evenly(starts, MAX_SEQUENCES)


def _evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Up to `most` of these, evenly spaced."""
    count = min(most, len(items))
    return [items[(2 * n + 1) * len(items) // (2 * count)] for n in range(count)]


def find_faces(
    sharp: Path | None, others: Sequence[Path], on_progress: Callable[[int, int | None], object] | None = None
) -> DetectedFaces:
    """Match the frames of the videos and find the faces of the sharp one, with the default options of a restoration.

    Args:
        sharp: The sharp video; None where none is known, and faces are found in the first of the others.
        others: The videos that are compared with it.
        on_progress: Called with the number of frames read and their total, which is None if the file does not state it.

    Raises:
        InputError: A video cannot be read or has another size than the sharp one, its frames have other times, or there are no
            faces.
        DetectorError: The detector cannot be opened.
    """
    reference, sharp = sharp is not None, sharp or others[0]
    options = RestorationOptions()
    finder = FaceFinder(open_detector(options.detector), detect_every=options.detect_every, min_face=options.min_face)
    detections: list[DetectedFace] = []
    matched, total = 0, None
    for frames in synchronised_frames(sharp, others):
        matched, total = matched + 1, frames.total
        detections += [_detection(frames, track) for track in finder.update(frames.sharp) if _is_visible(frames, track)]
        if on_progress is not None:
            on_progress(frames.number + 1, frames.total)
    if matched == 1 and total != 1:
        raise InputError(f"Only the first frames of {sharp} and the others have the same time. Are they of the same footage?")
    if not detections:
        mend = "Give videos that show faces" if reference else "If its faces are too blurred, give the sharp video: --reference"
        raise InputError(f"No face of {options.min_face:.0f} px or more was found in {sharp}. {mend}.")
    return DetectedFaces(sharp, tuple(others), matched, total, detections, reference)


def _is_visible(frames: SynchronisedFrames, track: Track) -> bool:
    return track.undetected <= MISSED and is_whole(track.box, frames.sharp.width, frames.sharp.height)


def _detection(frames: SynchronisedFrames, track: Track) -> DetectedFace:
    return DetectedFace(frames.number, frames.seconds, track.track_id, *whole_square(track.box))
