"""Faces whose gain is estimated, and those that a copy of a frame shows again."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.decision import FaceDecision, Reason
from streamdeblur.faces.memory import LONGEST_GAP, SIDE_RATIO, FaceNeighbours
from streamdeblur.faces.reading import FrameCrops, ReadCrop
from streamdeblur.faces.tracked_face import Box
from streamdeblur.faces.window import CROP_SIZE, FaceWindow
from streamdeblur.video.planes import Planes, SampleArray

SAMPLED_LINES = 16
"""Lines under a window that are compared first: in footage with noise they differ, and the crop need not be read twice."""
SAME_PLACE = 0.25
"""Distance between the centres of two windows, in units of their side, below which they are about one face: windows move while
the tracker comes to rest, also over a frame that is shown again."""

COST_EXPONENT = 1.5
"""How the time of a face grows with the side of its crop: less than its area, because every face and every layer costs something
in any case. `lite` takes 0.35 and 0.66 of the time for 128 and 192 px in bf16 (OpenVINO), 0.32 and 0.60 in float32 (ONNX Runtime;
one core of an AMD EPYC)."""


@dataclass(frozen=True, eq=False)
class JudgedFace:
    """A face whose crop was read, and how much of its restoration is wanted."""

    window: FaceWindow
    box: Box
    """x0, y0, x1, y1 in pixels."""
    read: ReadCrop = field(repr=False)
    """Its crop."""
    weight: float
    """Of its restoration, 0 to 1: faces fade in and out, and sharp ones are left as they are."""
    gain: float
    """dB of PSNR that its restoration is expected to bring."""
    priority: float
    """Gain times size: larger for what a viewer notices more."""
    track_id: int | None
    reason: Reason
    """Why it is to be restored, or left as it is."""
    neighbours: FaceNeighbours | None = field(default=None, repr=False)
    """Of its crop; None where nothing is remembered of the face."""

    @property
    def crop(self) -> NDArray[np.uint8]:
        """Its crop, uint8 RGB [S, S, 3]; copied from a GPU where it was read there."""
        return self.read.pixels()

    @property
    def crop_size(self) -> int:
        """Side of its crop in pixels."""
        return self.read.size

    def shown(self, presence: float) -> JudgedFace:
        """Return the same face, of whose restoration a share is shown."""
        return self if presence == 1.0 else replace(self, weight=self.weight * presence)

    def decided(self, reason: Reason | None = None, seconds: float = 0.0) -> FaceDecision:
        """Return what was done with it, and why.

        Args:
            reason: Why; by default as it was judged.
            seconds: Time that its restoration took.
        """
        return FaceDecision(
            self.track_id, self.box, self.window, reason or self.reason, self.gain, self.weight, self.read, seconds
        )

    @property
    def cost(self) -> float:
        """Time that its restoration takes, in units of that of a crop of 256 px."""
        return float((self.crop_size / CROP_SIZE) ** COST_EXPONENT)


@dataclass(eq=False)
class _LastFace:
    face: JudgedFace
    lines: SampleArray
    threshold: float
    frame: int
    """Number of the last frame with this face."""


class LastFaces:
    """The faces of a stream as they were judged last, by their tracks.

    They tell a copy of a frame from a new exposure, and a face between two sizes of crops keeps the one that it had.
    """

    def __init__(self) -> None:
        self._frame = 0
        self._faces: dict[Hashable, _LastFace] = {}

    def clear(self) -> None:
        """Forget all faces."""
        self._faces.clear()

    def next_frame(self) -> None:
        """Move on by one frame; forget the faces that were not seen for long."""
        self._frame += 1
        self._faces = {track: last for track, last in self._faces.items() if self._frame - last.frame <= LONGEST_GAP}

    def repeated(
        self, track: Hashable | None, planes: Planes, window: FaceWindow, crops: FrameCrops, *, threshold: float
    ) -> JudgedFace | None:
        """Return what was found of a face last, if this frame shows it again without any change; else None.

        Args:
            track: What tells the face from others; None if nothing does.
            planes: The frame.
            window: Where the face is expected.
            crops: Those of the frame.
            threshold: Gain in dB above which faces are restored.
        """
        last = self._faces.get(track)
        if last is None or last.threshold != threshold or not _same_place(last.face.window, window):
            return None
        before = last.face
        if not np.array_equal(_lines(planes, before.window), last.lines):
            return None
        if not crops.read(before.window, before.crop_size).same(before.read):
            return None
        last.frame = self._frame
        return before

    def crop_size(self, track: Hashable | None) -> int | None:
        """Return the size of the last crop of a face; None if nothing is known of it."""
        last = self._faces.get(track)
        return None if last is None else last.face.crop_size

    def keep(self, track: Hashable | None, planes: Planes, face: JudgedFace, *, threshold: float) -> None:
        """Keep a face of this frame; one without a track cannot be told again."""
        if track is not None:
            self._faces[track] = _LastFace(face, _lines(planes, face.window).copy(), threshold, self._frame)


def _same_place(one: FaceWindow, other: FaceWindow) -> bool:
    near = max(abs(one.centre_x - other.centre_x), abs(one.centre_y - other.centre_y)) < SAME_PLACE * one.side
    return near and 1 / SIDE_RATIO < one.side / other.side < SIDE_RATIO


def _lines(planes: Planes, window: FaceWindow) -> SampleArray:
    """Some lines of the first component under a window, as a view of the frame."""
    _, stride, width, height, _ = map(int, planes.memory[0])
    top, bottom = (min(max(0, int(y)), height) for y in (window.top, window.top + window.side))
    left, right = (min(max(0, int(x)), width) for x in (window.left, window.left + window.side))
    lines: SampleArray = planes.arrays[0][top : bottom : max(1, (bottom - top) // SAMPLED_LINES), stride * left : stride * right]
    return lines
