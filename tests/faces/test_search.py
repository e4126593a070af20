"""Faces of every size are found in large pictures, which are searched in tiles where there is time."""

from __future__ import annotations

import random
import weakref
from itertools import pairwise

import cv2
import numpy as np
import pytest

from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.face import Face
from streamdeblur.faces.find import FaceFinder
from streamdeblur.faces.search import LARGEST_VIEW, FullSearch
from streamdeblur.video.planes import array_planes

PORTRAIT_FACE = 137.0
"""Size in pixels of the face in the middle of the portrait."""


@pytest.fixture(scope="module")
def portrait(photograph):
    """Uint8 RGB [400, 400, 3]."""
    return np.ascontiguousarray(photograph[212:612, 597:997])


def wall(portrait, width, height, faces):
    """A gray picture with the portrait's face at (x, y) in pixels, by its size."""
    picture = np.full((height, width, 3), 90, np.uint8)
    for x, y, size in faces:
        scale = size / PORTRAIT_FACE
        small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = y - len(small) // 2, x - len(small) // 2
        picture[top : top + len(small), left : left + len(small)] = small
    return array_planes(picture)


@pytest.mark.parametrize(
    ("width", "height", "min_face"),
    [(6000, 4000, 48), (3840, 2160, 24), (3840, 2160, 15), (1080, 9000, 20), (1280, 720, 48), (20000, 300, 48), (640, 480, 15)],
)
def test_each_face_is_whole_and_large_enough_in_a_view_that_it_is_taken_from(width, height, min_face):
    search, chance = FullSearch(15.0, min_face), random.Random(1)
    regions = search.whole(width, height, tiled=True)
    assert all(max(region.width, region.height) <= LARGEST_VIEW + 1 for region in regions)
    for _ in range(2000):
        size = min_face * (min(width, height) / min_face) ** chance.random()
        x, y = chance.uniform(0, width - size), chance.uniform(0, height - size)
        face = Face(np.array([x, y, x + size, y + size], np.float32))
        assert any(
            region.takes(face)
            and region.scale * size >= 0.99 * min(15.0, size)
            and region.left <= region.scale * x + 4 and region.scale * (x + size) <= region.left + region.width + 4
            and region.top <= region.scale * y + 4 and region.scale * (y + size) <= region.top + region.height + 4
            for region in regions
        ), (x, y, size)  # fmt: skip


def test_views_in_real_time_stay_as_large_as_there_is_time_for():
    for width, height in ((6000, 4000), (3840, 2160)):
        regions = FullSearch(15.0, 15.0).whole(width, height)
        assert [round(max(region.width, region.height)) for region in regions] == [LARGEST_VIEW, 320]


def test_small_faces_are_found_all_over_a_large_picture_and_large_ones_once(portrait):
    """Of 24 px, in the middle of tiles and across their borders, beside faces of three other sizes."""
    detector = open_detector("centerface")
    small = [(40 + 83 * n, 40 + 60 * (n % 2), 24) for n in range(31)]
    faces = [*small, (150, 400, 60), (700, 400, 150), (1300, 540, 250)]
    picture = wall(portrait, 2600, 920, faces)
    found = FaceFinder(detector, min_face=20).update(picture)
    assert len(found) == len(faces)
    for x, y, size in faces:
        near = [track for track in found if np.hypot(*(track.centre - (x, y))) < 0.3 * size]
        assert [track.size for track in near] == [pytest.approx(size, rel=0.3)]


def test_one_view_at_a_time_is_in_memory():
    pictures = []

    class Watched:
        name, smallest_face = "watched", 15.0

        def detect(self, rgb):
            pictures.append(weakref.ref(rgb))
            return []

    FaceFinder(Watched(), min_face=15).update(array_planes(np.zeros((2000, 3000, 3), np.uint8)))
    assert len(pictures) > 6
    assert not any(picture() is not None for picture in pictures)


def test_tiles_of_a_view_are_of_one_size():
    """Detectors compile for each size."""
    regions = FullSearch(15.0, 24.0).whole(3840, 2160, tiled=True)
    scales = sorted({region.scale for region in regions}, reverse=True)
    assert all(fine >= 2 * coarse for fine, coarse in pairwise(scales))
    assert len({(region.width, region.height) for region in regions}) == len(scales) == 3
