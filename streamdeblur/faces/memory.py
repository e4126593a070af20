"""The memory of each track: its last crops, and which of them show the same face nearly in the same place."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.neighbours import HalfLuma, half_luma_of
from streamdeblur.kernels.luma import block_means, correlation, mean_difference

LONGEST_GAP = 5
"""Frames between two crops of which one may help to restore the other. Farther ones brought nothing, and lost a little in the end
(clips of talking people at 25 frames per second, filmed again by a shaking camera)."""
SIDE_RATIO = 1.25
"""Largest ratio of the sides of their windows. Windows follow the size of the face, so a larger one is an error of detection."""
SMALL_SIZE = 8
"""Side of the reduced luma on which crops are compared: at 32 pixels of the crop each, the blur and the shifts of one face change
little, and two people still differ. More samples, or trying shifts, told them apart less well."""
SAME_FACE = 0.92
"""Correlation of two crops from which on they count as the same face in nearly the same place.

In windows that the tracker of this package placed in 68 clips of talking people, as they are and blurred by a shaking camera (4
to 34 px, another path for each crop), 99 % of the pairs of crops up to 3 frames apart correlate by that much, and 98 % of those 5
frames apart; of the pairs of crops of two people, as a cut leaves them, 0.3 %.
"""
REPEATED = 0.5 / 255
"""Mean difference below which a crop repeats another one: about the noise of two exposures. Frames that were repeated by a change
of the frame rate and compressed again differ by 0.2 to 0.9 code values, since windows still move while the tracker comes to rest;
one above the limit counts as a neighbour, which does no harm."""


@dataclass(frozen=True, eq=False)
class RememberedCrop:
    """A crop of a face as the memory keeps it: 64 KiB and 256 bytes."""

    frame: int
    """Number of the frame."""
    side: float
    """Side of its window, in pixels of the frame."""
    luma: HalfLuma = field(repr=False)
    small: NDArray[np.float32] = field(repr=False)
    """float32 [SMALL_SIZE, SMALL_SIZE], to compare crops on."""

    @classmethod
    def of(cls, frame: int, side: float, crop: NDArray[np.uint8]) -> RememberedCrop:
        """Reduce a crop, uint8 RGB [256, 256, 3], of a window of `side` pixels."""
        luma, small = half_luma_of(crop), np.empty((SMALL_SIZE, SMALL_SIZE), np.float32)
        block_means(luma, small)
        return cls(frame, side, luma, small)

    def repeats(self, other: RememberedCrop) -> bool:
        """Return whether the crops are the same, so that one tells nothing new about the other."""
        return mean_difference(self.luma, other.luma) < REPEATED

    def helps(self, other: RememberedCrop) -> bool:
        """Return whether this crop shows the face of `other` in another exposure, nearly in the same place."""
        near = 0 < abs(self.frame - other.frame) <= LONGEST_GAP
        alike = near and 1 / SIDE_RATIO < self.side / other.side < SIDE_RATIO
        return alike and correlation(self.small, other.small) >= SAME_FACE and not self.repeats(other)


class TrackMemory:
    """The last crops of one face, each another exposure."""

    def __init__(self) -> None:
        self._crops: deque[RememberedCrop] = deque()

    def __repr__(self) -> str:
        return f"TrackMemory({list(self._crops)})"

    @property
    def last_frame(self) -> int:
        """Number of the frame of the latest crop; -1 without any."""
        return self._crops[-1].frame if self._crops else -1

    def remember(self, crop: RememberedCrop, capacity: int) -> None:
        """Keep a crop in place of the one that it repeats, or else in place of the oldest of `capacity`."""
        if self._crops and crop.repeats(self._crops[-1]):
            self._crops.pop()
        self._crops.append(crop)
        while len(self._crops) > capacity:
            self._crops.popleft()

    def neighbours(self, present: RememberedCrop, count: int) -> list[HalfLuma]:
        """Return the `count` crops nearest in time to `present` that help to restore it; of two equally near ones, the earlier
        comes first."""
        nearest = sorted(self._crops, key=lambda crop: (abs(crop.frame - present.frame), crop.frame))
        found: list[HalfLuma] = []
        for crop in nearest:
            if len(found) < count and crop.helps(present):
                found.append(crop.luma)
        return found


class FaceMemory:
    """The memories of the faces of a stream. A track that was not seen for `LONGEST_GAP` frames is forgotten."""

    def __init__(self, entries: int) -> None:
        """`entries`: the most neighbours of a face; without any, nothing is remembered."""
        self.entries = entries
        self._frame = 0
        self._tracks: dict[Hashable, TrackMemory] = {}

    def __repr__(self) -> str:
        return f"FaceMemory({self.entries}, tracks={len(self._tracks)})"

    def clear(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()

    def next_frame(self) -> None:
        """Move on by one frame."""
        self._frame += 1
        self._tracks = {key: track for key, track in self._tracks.items() if self._frame - track.last_frame <= LONGEST_GAP}

    def remember(
        self, track: Hashable | None, side: float, crop: NDArray[np.uint8], look_ahead: int = 0
    ) -> FaceNeighbours | None:
        """Keep the crop of a face of this frame; None for a face without a track, which has no memory.

        Args:
            track: What tells the face from others.
            side: Side of its window.
            crop: uint8 RGB [256, 256, 3].
            look_ahead: Number of later frames from which a face takes neighbours, too.
        """
        if track is None or not self.entries:
            return None
        memory = self._tracks.setdefault(track, TrackMemory())
        remembered = RememberedCrop.of(self._frame, side, crop)
        memory.remember(remembered, self.entries + 1 + look_ahead)
        return FaceNeighbours(memory, remembered, self.entries)


@dataclass(frozen=True, eq=False)
class FaceNeighbours:
    """A crop in the memory of its track."""

    _memory: TrackMemory
    _present: RememberedCrop
    _count: int

    def find(self) -> list[HalfLuma]:
        """Return the neighbours that are known now: those before, and those that were remembered since."""
        return self._memory.neighbours(self._present, self._count)
