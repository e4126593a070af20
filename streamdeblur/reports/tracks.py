"""The faces of a video by their tracks: their blur over time, and the moments to look at."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

from streamdeblur.faces.decision import FaceDecision, Reason
from streamdeblur.faces.window import CROP_SIZE, crop
from streamdeblur.pictures.data_url import data_url
from streamdeblur.reports.report import FaceRow
from streamdeblur.video.planes import Planes


@dataclass(frozen=True)
class Moment:
    """A face at one time."""

    row: FaceRow
    before: str
    """Picture of the face in the input, as a ``data:`` URL."""
    after: str
    """The same in the output."""

    @classmethod
    def of(cls, row: FaceRow, planes: Planes, face: FaceDecision) -> Moment:
        """Return the moment of a face in the frame with these planes."""
        after = data_url(crop(planes, face.window, CROP_SIZE))
        return cls(row, after if face.crop is None else data_url(face.crop), after)


@dataclass(eq=False)
class FaceTrack:
    """A face over time."""

    number: int
    times: array[float] = field(default_factory=lambda: array("d"), repr=False)
    """Seconds from the first frame of the input."""
    before: array[float] = field(default_factory=lambda: array("f"), repr=False)
    """Its blur in the input at these times, 0 (sharp) to 1."""
    after: array[float] = field(default_factory=lambda: array("f"), repr=False)
    """The same in the output."""
    restored: array[int] = field(default_factory=lambda: array("b"), repr=False)
    """1 where it was restored, else 0."""
    reasons: Counter[Reason] = field(default_factory=Counter)
    best: Moment | None = None
    """Where its blur fell most; None where it never fell."""
    worst: Moment | None = None
    """Where it is blurred most in the output."""

    def add(self, row: FaceRow, planes: Planes, face: FaceDecision) -> None:
        """Add the face of the next frame in which it is seen."""
        self.times.append(row.time)
        self.before.append(row.blur)
        self.after.append(row.blur_after)
        self.restored.append(face.restored)
        self.reasons[face.reason] += 1
        if self.worst is None or row.blur_after > self.worst.row.blur_after:
            self.worst = Moment.of(row, planes, face)
        if face.restored and _fall(row) > (_fall(self.best.row) if self.best else 0.0):
            self.best = Moment.of(row, planes, face)


def _fall(row: FaceRow) -> float:
    return row.blur - row.blur_after
