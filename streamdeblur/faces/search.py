"""FullSearch: which regions of a frame are searched for faces that are not followed yet, and how finely."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.face import Face
from streamdeblur.faces.window import crop_region
from streamdeblur.video.planes import Planes
from streamdeblur.video.turning import turned_picture

COARSE_SIDE = 320
"""Longer side of the second view of a whole search, for faces too large for a view that shows the smallest ones."""
LARGEST_VIEW = 1280
"""Longer side of a view at most."""
TURNS = (2, 1, 2, 1, 2, 1, 2, 1, 2, 0)
"""How often the view is halved in sequential partial searches. So, with a search in every 5 frames, faces of four times the
smallest size are found within 5 frames, of twice that size within 10, and all others within about 50. A view of more parts than
frames lie between two searches takes as many frames as it has parts: in 4K, all of them take 75."""
SMALLEST_VIEW = 64
"""Longer side of a view at least."""
TILE_WIDTH, TILE_HEIGHT, TILE_OVERLAP = 288, 192, 40
"""Largest sides of the tiles of a fine view, and what neighbours share: a face that is larger is found in the coarser views."""
MULTIPLE, LEAST_SCALE = 32, 0.94
"""Detectors pad their input to multiples of this; a partial view is shrunk by so much at most if that saves padding."""


@dataclass(frozen=True, eq=False)
class View:
    """A region of a frame, reduced and upright."""

    picture: NDArray[np.uint8]
    """uint8 RGB [H, W, 3]."""
    scale: float
    left: float
    top: float
    turn: int = 0
    """Quarter turns, counterclockwise, by which it differs from the frame."""

    @classmethod
    def read(cls, planes: Planes, left: float, top: float, scale: float, width: int, height: int) -> View:
        """Read the region at (`left`, `top`) that has `width` x `height` pixels where the frame is reduced by `scale`."""
        picture = crop_region(planes, left, top, width / scale, height / scale, np.empty((height, width, 3), np.uint8))
        return cls(turned_picture(picture, planes.turn), scale, left, top, planes.turn)

    @property
    def longest(self) -> float:
        """Longer side of the region in pixels of the frame."""
        return float(max(self.picture.shape[:2]) / self.scale)

    def in_frame(self, face: Face) -> Face:
        """Return a face of this view in pixels of the frame."""
        height, width = self.picture.shape[:2]
        return face.turned(-self.turn, width, height).moved(self.scale, self.left, self.top)


@dataclass(frozen=True)
class Region:
    """A part of a view of a whole frame, in pixels of the view."""

    scale: float
    """Pixels of the view per pixel of the frame."""
    left: float
    top: float
    width: float
    height: float

    def read(self, planes: Planes) -> View:
        """Read the region of a frame."""
        left, top = self.left / self.scale, self.top / self.scale
        return View.read(planes, left, top, self.scale, math.ceil(self.width), math.ceil(self.height))


class FullSearch:
    """Chooses what is searched: everything, or in turns as little as finds each new face within a bounded time."""

    def __init__(self, smallest_face: float, min_face: float) -> None:
        """
        Args:
            smallest_face: Size in pixels of the smallest face that the detector finds.
            min_face: That of the smallest face in the frame that is wanted.
        """
        self._smallest_face, self._min_face = smallest_face, min_face
        self._turn = 0

    def whole(self, width: int, height: int) -> list[Region]:
        """Return a view that shows the smallest faces, and where it is large, a coarse one for the largest faces."""
        self._turn = 0
        longest = max(width, height)
        fine = self._finest(longest)
        scales = [fine, COARSE_SIDE / longest] if fine * longest > 2 * COARSE_SIDE else [fine]
        return [_all_of(scale, width, height) for scale in scales]

    def turn(self, width: int, height: int) -> list[Region]:
        """Return what is searched next while all known faces are followed; a fine view in parts, of which none takes long."""
        halvings, longest = TURNS[self._turn % len(TURNS)], max(width, height)
        self._turn += 1
        scale = self._finest(longest)
        while halvings and scale * longest >= 2 * SMALLEST_VIEW:
            scale, halvings = scale / 2, halvings - 1
        return list(_tiles(_all_of(_fitted(scale, width, height), width, height)))

    def shapes(self, width: int, height: int) -> set[tuple[int, int]]:
        """Return the lines and columns of all views of frames of a size, in real time."""
        turns = FullSearch(self._smallest_face, self._min_face)
        regions = turns.whole(width, height) + [region for _ in TURNS for region in turns.turn(width, height)]
        return {(math.ceil(region.height), math.ceil(region.width)) for region in regions}

    def _finest(self, longest: int) -> float:
        return min(1.0, self._smallest_face / self._min_face, LARGEST_VIEW / longest)


def _all_of(scale: float, width: int, height: int) -> Region:
    return Region(scale, 0.0, 0.0, max(1.0, width * scale), max(1.0, height * scale))


def _fitted(scale: float, width: int, height: int) -> float:
    """The scale, or one a little smaller, at which a detector has the fewest pixels to compute."""
    scales = [scale] + [side * scale // MULTIPLE * MULTIPLE / side for side in (width, height)]
    return min(
        (one for one in scales if one >= LEAST_SCALE * scale),
        key=lambda one: math.prod(math.ceil(side * one / MULTIPLE) for side in (width, height)),
    )


def _tiles(view: Region) -> Iterator[Region]:
    """Parts of equal size that overlap."""
    columns, rows = _parts(view.width, TILE_WIDTH), _parts(view.height, TILE_HEIGHT)
    width = (view.width + (columns - 1) * TILE_OVERLAP) / columns
    height = (view.height + (rows - 1) * TILE_OVERLAP) / rows
    for row in range(rows):
        for column in range(columns):
            yield Region(view.scale, column * (width - TILE_OVERLAP), row * (height - TILE_OVERLAP), width, height)


def _parts(side: float, largest: int) -> int:
    return max(1, math.ceil((side - TILE_OVERLAP) / (largest - TILE_OVERLAP)))
