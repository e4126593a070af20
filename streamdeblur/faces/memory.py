"""The memory of each track: its last exposures, and which of them show the same face nearly in the same place."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.neighbours import HalfLuma, half_luma_of, luma_difference
from streamdeblur.kernels.luma import block_means, correlation, mean_difference

if TYPE_CHECKING:
    from streamdeblur.faces.reading import ReadCrop

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
    """A crop of a face as the memory keeps it: 64 KiB and 256 bytes, or less for a crop of less than 256 px."""

    frame: int
    """Number of the frame, of copies the first: a copy shows no later moment."""
    side: float
    """Side of its window, in pixels of the frame."""
    luma: HalfLuma = field(repr=False)
    small: NDArray[np.float32] = field(repr=False)
    """float32 [SMALL_SIZE, SMALL_SIZE], to compare crops on."""

    @classmethod
    def of(cls, frame: int, side: float, crop: NDArray[np.uint8]) -> RememberedCrop:
        """Reduce a crop, uint8 RGB [S, S, 3], of a window of `side` pixels."""
        luma, small = half_luma_of(crop), np.empty((SMALL_SIZE, SMALL_SIZE), np.float32)
        block_means(luma, small)
        return cls(frame, side, luma, small)

    def copies(self, other: RememberedCrop) -> bool:
        """Return whether the crops are equal to the bit, as those of a frame that is shown twice."""
        equal = self.luma.shape == other.luma.shape and np.array_equal(self.small, other.small)
        return equal and luma_difference(self.luma, other.luma) == 0.0

    def repeats(self, other: RememberedCrop) -> bool:
        """Return whether the crops are nearly the same, so that one tells nothing new about the other."""
        # the means of blocks differ by no more than the pixels do, and mostly settle it
        small = self.luma.shape == other.luma.shape and mean_difference(self.small, other.small) < REPEATED
        return small and luma_difference(self.luma, other.luma) < REPEATED

    def helps(self, other: RememberedCrop) -> bool:
        """Return whether this crop shows the face of `other` in another exposure, nearly in the same place, and has its size: a
        network takes neighbours of the size of the crop, and a face changes its size rarely."""
        near = 0 < abs(self.frame - other.frame) <= LONGEST_GAP and self.luma.shape == other.luma.shape
        alike = near and 1 / SIDE_RATIO < self.side / other.side < SIDE_RATIO
        return alike and correlation(self.small, other.small) >= SAME_FACE and not self.repeats(other)


class TrackMemory:
    """The last crops of one face, each another exposure."""

    def __init__(self) -> None:
        self._crops: deque[RememberedCrop] = deque()

    def __repr__(self) -> str:
        return f"TrackMemory({list(self._crops)})"

    @property
    def lumas(self) -> list[HalfLuma]:
        """Half lumas of its crops."""
        return [crop.luma for crop in self._crops]

    def remember(self, crop: RememberedCrop, capacity: int) -> RememberedCrop:
        """Keep a crop in place of those that it repeats, and of the oldest where there are more than `capacity`.

        Returns:
            The crop, or the latest one if it is a copy of that: then nothing changes.
        """
        if self._crops and crop.copies(self._crops[-1]):
            return self._crops[-1]
        self._crops = deque([kept for kept in self._crops if not crop.repeats(kept)], capacity)
        self._crops.append(crop)
        return crop

    def neighbours(self, present: RememberedCrop, count: int) -> list[HalfLuma]:
        """Return the `count` crops nearest in time to `present` that help to restore it; of two equally near ones, the earlier
        comes first."""
        nearest = sorted(self._crops, key=lambda crop: (abs(crop.frame - present.frame), crop.frame))
        found: list[HalfLuma] = []
        for crop in nearest:
            if len(found) < count and crop.helps(present):
                found.append(crop.luma)
        return found


@dataclass(eq=False)
class _Track:
    """A face in the memory of a stream."""

    memory: TrackMemory
    last_seen: int
    """Number of the last frame with this face."""
    latest: FaceNeighbours | None = None
    """Those of the latest crop, which its copies share."""


class FaceMemory:
    """The memories of the faces of a stream. A track that was not seen for `LONGEST_GAP` frames is forgotten."""

    def __init__(self, entries: int) -> None:
        """`entries`: the most neighbours of a face; without any, nothing is remembered."""
        self.entries = entries
        self._frame = 0
        self._tracks: dict[Hashable, _Track] = {}

    def __repr__(self) -> str:
        return f"FaceMemory({self.entries}, tracks={len(self._tracks)})"

    def clear(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()

    def next_frame(self) -> None:
        """Move on by one frame."""
        self._frame += 1
        self._tracks = {key: track for key, track in self._tracks.items() if self._frame - track.last_seen <= LONGEST_GAP}

    def lumas(self, track: Hashable | None) -> list[HalfLuma]:
        """Return the half lumas of a track, with which its next crop is compared."""
        return self._tracks[track].memory.lumas if track in self._tracks else []

    def seen_again(self, track: Hashable | None) -> None:
        """Keep a track whose crop in this frame is a copy of the latest one, so that there is nothing to remember."""
        if track in self._tracks:
            self._tracks[track].last_seen = self._frame

    def remember(self, track: Hashable | None, crop: ReadCrop, look_ahead: int = 0) -> FaceNeighbours | None:
        """Keep the crop of a face of this frame.

        Args:
            track: What tells the face from others.
            crop: The crop.
            look_ahead: Number of later frames from which a face takes neighbours, too.

        Returns:
            Its neighbours; None for a face without a track, which has no memory. Copies of one crop, in frames that follow one
            another, share theirs.
        """
        if track is None or not self.entries:
            return None
        followed = self._tracks.setdefault(track, _Track(TrackMemory(), self._frame))
        followed.last_seen = self._frame
        present = crop.remembered(self._frame)
        if followed.memory.remember(present, self.entries + 1 + look_ahead) is present or followed.latest is None:
            followed.latest = FaceNeighbours(followed.memory, present, self.entries)
        return followed.latest


class FaceNeighbours:
    """The neighbours of a crop in the memory of its track."""

    def __init__(self, memory: TrackMemory, present: RememberedCrop, count: int) -> None:
        self._memory, self._present, self._count = memory, present, count
        self._found: list[HalfLuma] | None = None

    def __repr__(self) -> str:
        return f"FaceNeighbours({self._present}, {self._count})"

    def find(self) -> list[HalfLuma]:
        """Return the neighbours that are known at the first call: those before, and those that were remembered since.

        Later calls return the same: all copies of a frame are restored alike.
        """
        if self._found is None:
            self._found = self._memory.neighbours(self._present, self._count)
        return self._found
