"""FullSearch: which regions of a frame are searched for faces that are not followed yet, and how finely."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.face import Face
from streamdeblur.faces.window import crop_region
from streamdeblur.video.planes import Planes
from streamdeblur.video.turning import turned_picture

COARSE_SIDE = 320
"""Longer side of the last view of a whole search, for faces too large for a view that shows the smallest ones."""
LARGEST_VIEW = 1280
"""Longer side of a view at most."""
VIEW_OVERLAP = 96
"""What tiles of this size share. Faces that are larger in them are taken from the next coarser view."""
OVERLAP_SLACK = 4
"""Pixels by which detections of one face differ between neighbouring tiles, at most."""
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
    sizes: tuple[float, float] = (0.0, math.inf)
    """Sizes of the faces that are taken from it, in pixels of the frame; others are seen better in another region."""
    middles: tuple[float, float, float, float] = (-math.inf, -math.inf, math.inf, math.inf)
    """Where their middles lie, x0, y0, x1, y1 in pixels of the view; others may be cut off, and are whole in a neighbour."""

    def takes(self, face: Face) -> bool:
        """Return whether a face that was detected in it, in pixels of the frame, is taken from it."""
        least, most = self.sizes
        x0, y0, x1, y1 = self.middles
        x, y = (face.box[:2] + face.box[2:]) / 2 * self.scale
        return bool(least < face.size <= most and x0 <= x < x1 and y0 <= y < y1)

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

    def whole(self, width: int, height: int, *, tiled: bool = False) -> list[Region]:
        """Return the views of a whole frame, the finest one first; faces in several of them are taken from the last of these.

        The first one shows the smallest faces, and the last one, where the first is large, the largest faces.

        Args:
            width: Of the frame in pixels.
            height: Of the frame in pixels.
            tiled: Read views larger than `LARGEST_VIEW` in tiles, and in halves of their scale until one fits; otherwise the
                first view is `LARGEST_VIEW` at most, and shows no smaller faces, however long that would take.
        """
        self._turn = 0
        longest, least = max(width, height), 0.0
        scale = self._wanted if tiled else self._finest(longest)
        regions: list[Region] = []
        while scale * longest > LARGEST_VIEW:
            most = VIEW_OVERLAP / scale
            view = replace(_all_of(scale, width, height), sizes=(least, most))
            tiles = _tiles(view, LARGEST_VIEW, LARGEST_VIEW, VIEW_OVERLAP)
            regions += [replace(tile, middles=_middles(tile, view)) for tile in tiles]
            # sizes overlap, too: the same face has not the same size in two views
            scale, least = scale / 2, 0.75 * most
        regions.append(replace(_all_of(scale, width, height), sizes=(least, math.inf)))
        if scale * longest > 2 * COARSE_SIDE:
            # in a fine view a large face may be detected as several small ones
            regions.append(replace(_all_of(COARSE_SIDE / longest, width, height), sizes=(longest / 6, math.inf)))
        return regions

    def turn(self, width: int, height: int) -> list[Region]:
        """Return what is searched next while all known faces are followed; a fine view in parts, of which none takes long."""
        halvings, longest = TURNS[self._turn % len(TURNS)], max(width, height)
        self._turn += 1
        scale = self._finest(longest)
        while halvings and scale * longest >= 2 * SMALLEST_VIEW:
            scale, halvings = scale / 2, halvings - 1
        return list(_tiles(_all_of(_fitted(scale, width, height), width, height), TILE_WIDTH, TILE_HEIGHT, TILE_OVERLAP))

    def shapes(self, width: int, height: int) -> set[tuple[int, int]]:
        """Return the lines and columns of all views of frames of a size, in real time."""
        turns = FullSearch(self._smallest_face, self._min_face)
        regions = turns.whole(width, height) + [region for _ in TURNS for region in turns.turn(width, height)]
        return {(math.ceil(region.height), math.ceil(region.width)) for region in regions}

    @property
    def _wanted(self) -> float:
        """The scale at which the smallest faces are detected."""
        return min(1.0, self._smallest_face / self._min_face)

    def _finest(self, longest: int) -> float:
        return min(self._wanted, LARGEST_VIEW / longest)


def _all_of(scale: float, width: int, height: int) -> Region:
    return Region(scale, 0.0, 0.0, max(1.0, width * scale), max(1.0, height * scale))


def _fitted(scale: float, width: int, height: int) -> float:
    """The scale, or one a little smaller, at which a detector has the fewest pixels to compute."""
    scales = [scale] + [side * scale // MULTIPLE * MULTIPLE / side for side in (width, height)]
    return min(
        (one for one in scales if one >= LEAST_SCALE * scale),
        key=lambda one: math.prod(math.ceil(side * one / MULTIPLE) for side in (width, height)),
    )


def _tiles(view: Region, widest: int, highest: int, overlap: int) -> Iterator[Region]:
    """Parts of a view, of equal size, at most `widest` x `highest` pixels, of which neighbours share `overlap` pixels."""
    columns, rows = _parts(view.width, widest, overlap), _parts(view.height, highest, overlap)
    width = (view.width + (columns - 1) * overlap) / columns
    height = (view.height + (rows - 1) * overlap) / rows
    for row in range(rows):
        for column in range(columns):
            left, top = column * (width - overlap), row * (height - overlap)
            yield replace(view, left=left, top=top, width=width, height=height)


def _middles(tile: Region, view: Region) -> tuple[float, float, float, float]:
    """Where the middles lie of the faces of a tile: half way into what it shares with its neighbours."""
    inner = VIEW_OVERLAP / 2 - OVERLAP_SLACK
    right, bottom = tile.left + tile.width, tile.top + tile.height
    return (
        tile.left + inner if tile.left > 0 else -math.inf,
        tile.top + inner if tile.top > 0 else -math.inf,
        right - inner if right < view.width - 1 else math.inf,
        bottom - inner if bottom < view.height - 1 else math.inf,
    )


def _parts(side: float, largest: int, overlap: int) -> int:
    return max(1, math.ceil((side - overlap) / (largest - overlap)))
