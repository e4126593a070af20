"""First look at videos that are compared: which frames all of them have, and where the sharp one shows faces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from streamdeblur.errors import InputError
from streamdeblur.evaluation.comparing.footage import Moment, in_step
from streamdeblur.evaluation.sources.cutting import runs
from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.find import FaceFinder
from streamdeblur.faces.track import Track
from streamdeblur.options import RestorationOptions
from streamdeblur.training.datasets.tracks import MISSED, is_whole
from streamdeblur.training.datasets.windows import whole_square

RUN = 12
"""Frames of a run: half a second of a face."""
MOST_RUNS = 24
"""Runs that are looked at, of all faces together."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face in a frame of the sharp video, and its window: a square in whole pixels, which may hang over the border."""

    number: int
    """Of the frame."""
    seconds: float
    """Since the first frame."""
    track: int
    """Whose face it is, as far as it could be followed."""
    left: int
    top: int
    side: int

    @property
    def name(self) -> str:
        return f"face{self.track}/{self.number:06d}"


@dataclass(frozen=True)
class Faces:
    """What the first look found."""

    sharp: Path
    others: tuple[Path, ...]
    matched: int
    """Frames that all videos have."""
    total: int | None
    """Frames of the sharp video, as far as its file says."""
    sightings: list[Sighting] = field(repr=False)
    """All faces in these frames, in their order."""

    def __str__(self) -> str:
        of = f" of {self.total}" if self.total else ""
        return f"{self.matched}{of} frames of {self.sharp.name} are in all videos, with {len(self.sightings)} faces"

    def spread(self, limit: int | None) -> list[Sighting]:
        """So many faces at most: of each person in proportion to the frames that show them, evenly over these."""
        ordered = sorted(self.sightings, key=lambda sighting: (sighting.track, sighting.number))
        return _evenly(ordered, limit or len(ordered))

    def runs(self) -> list[Sighting]:
        """Where a face is seen in `RUN` frames in a row: its first sighting in each run, of `MOST_RUNS` runs at most."""
        by_track = defaultdict[int, dict[int, Sighting]](dict)
        for sighting in self.sightings:
            by_track[sighting.track][sighting.number] = sighting
        found = [seen[begin] for seen in by_track.values() for begin, end in runs([*seen], RUN) if end - begin == RUN]
        return _evenly(found, MOST_RUNS)


def _evenly(items: Sequence[Item], most: int) -> list[Item]:
    """So many of these at most, evenly spaced."""
    count = min(most, len(items))
    return [items[(2 * n + 1) * len(items) // (2 * count)] for n in range(count)]


def find_faces(sharp: Path, others: Sequence[Path], on_progress: Callable[[int, int | None], object] | None = None) -> Faces:
    """Match the frames of the videos and find the faces of the sharp one, as the product itself does by default.

    `on_progress` is called with the frames read so far and their total, as far as the file says.

    Raises:
        InputError: a video cannot be read, is not of the sharp one's size, its frames are at other times, or there are no faces.
        DetectorError: the detector cannot be opened.
    """
    options = RestorationOptions()
    finder = FaceFinder(open_detector(options.detector), detect_every=options.detect_every, min_face=options.min_face)
    sightings: list[Sighting] = []
    matched, total = 0, None
    for moment in in_step(sharp, others):
        matched, total = matched + 1, moment.total
        sightings += [_sighting(moment, track) for track in finder.update(moment.sharp) if _seen(moment, track)]
        if on_progress is not None:
            on_progress(moment.number + 1, moment.total)
    if matched == 1 and total != 1:
        raise InputError(f"Only the first frames of {sharp} and the others are at the same time. Are they of the same footage?")
    if not sightings:
        raise InputError(f"No face of {options.min_face:.0f} px or more was found in {sharp}. Name the sharp video.")
    return Faces(sharp, tuple(others), matched, total, sightings)


def _seen(moment: Moment, track: Track) -> bool:
    return track.missed <= MISSED and is_whole(track.box, moment.sharp.width, moment.sharp.height)


def _sighting(moment: Moment, track: Track) -> Sighting:
    return Sighting(moment.number, moment.seconds, track.identity, *whole_square(track.box))
