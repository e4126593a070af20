"""Faces between two detections, and faces that come in while others are followed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.find import LOCAL_EVERY, LOCAL_SIZE, STEADY_SIZE, FaceFinder
from streamdeblur.faces.flow import FaceFlow
from streamdeblur.faces.search import TILE_HEIGHT, TILE_WIDTH, TURNS, FullSearch
from streamdeblur.video.planes import array_planes

SIZE = 137
"""Of the face of the portrait, in pixels."""


@pytest.fixture(scope="module")
def scene(photograph):
    """Makes a gray frame [480, 640] with portraits at places before a pattern, which moves with the camera."""
    portrait = photograph[302:522, 696:896, 1]

    def make(*places, camera=0):
        frame = np.roll(np.kron(np.arange(12 * 16).reshape(12, 16) % 2 * 90 + 60, np.ones((40, 40))), camera, axis=1).astype(
            np.uint8
        )
        for x, y in places:
            # whole pixels: the frames differ by nothing but motion
            target = frame[max(0, y - 110) : y + 110, max(0, x - 100) : x + 100]
            target[:] = portrait[: target.shape[0], max(0, 100 - x) :][:, : target.shape[1]]
        return array_planes(frame)

    return make


@pytest.fixture(scope="module")
def opened():
    return open_detector("centerface")


@pytest.fixture
def detector(opened):
    return Counting(opened)


class Counting:
    """A detector that counts the sizes of its views."""

    def __init__(self, detector):
        self._detector, self.smallest_face, self.shapes = detector, detector.smallest_face, Counter()

    def detect(self, rgb):
        self.shapes[rgb.shape[:2]] += 1
        return self._detector.detect(rgb)


def test_the_flow_finds_a_face_that_moved_and_nothing_where_it_is_not(scene):
    flow, centre = FaceFlow(), np.array([300.0, 240.0])
    assert flow.find(scene((300, 240)), centre) is None
    flow.keep(scene((300, 240)), centre, SIZE)
    np.testing.assert_allclose(flow.find(scene((312, 229)), centre), [312, 229], atol=0.3)
    assert flow.find(scene(), centre) is None
    flow.forget()
    assert flow.find(scene((300, 240)), centre) is None


def test_a_shaken_face_is_followed_to_a_pixel_and_rarely_detected(scene, detector):
    finder, errors = FaceFinder(detector), []
    for n in range(30):
        x, y = 300 + round(15 * np.sin(n)), 240 + round(10 * np.cos(1.7 * n))
        (track,) = finder.update(scene((x, y)), until=1e12)
        errors.append(track.centre - [x, y])
    assert np.ptp(errors[10:], axis=0).max() < 2
    assert detector.shapes[STEADY_SIZE, STEADY_SIZE] <= 30 // LOCAL_EVERY
    assert detector.shapes[LOCAL_SIZE, LOCAL_SIZE] <= 8


def counter(finder, live):
    """A function that returns the number of faces that are followed in the next frame."""

    def count(planes):
        found = finder.update(planes, until=1e12 if live else None)
        finder.catch_up()
        return len(found)

    return count


@pytest.mark.parametrize("live", [False, True])
def test_who_comes_into_a_still_picture_is_found_by_the_next_search(scene, detector, live):
    faces = counter(FaceFinder(detector), live)
    for _ in range(12):
        assert faces(scene((150, 240))) == 1
    counts = [faces(scene((150, 240), (450, 240))) for _ in range(7)]
    assert counts[5 + live - 1] == 2


@pytest.mark.parametrize(("live", "frames"), [(False, 5), (True, 11)])
def test_who_comes_in_while_the_camera_moves_is_found_within_the_stated_time(scene, detector, live, frames):
    """Its face is larger than twice the smallest size. In real time, what is found is followed from the next frame on."""
    faces = counter(FaceFinder(detector), live)
    for n in range(10):
        faces(scene((150, 240), camera=20 * n))
    detector.shapes.clear()
    counts = [faces(scene((150, 240), (450, 240), camera=20 * n)) for n in range(10, 10 + frames)]
    assert counts[-1] == 2
    if live:
        assert (150, 200) not in detector.shapes, "the finest view was not needed"


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (3840, 2160), (720, 1280), (320, 240), (1, 1)])
def test_searches_cover_the_frame_in_views_that_are_known_beforehand(width, height):
    search = FullSearch(15.0, 48.0)
    known = search.shapes(width, height)
    whole = search.whole(width, height)[0].scale
    scales = set()
    for _ in TURNS:
        tiles = search.turn(width, height)
        scale, covered = tiles[0].scale, np.zeros((height, width), bool)
        scales.add(round(whole / scale, 1))
        for tile in tiles:
            rows, columns = int(np.ceil(tile.height)), int(np.ceil(tile.width))
            assert (rows, columns) in known
            assert rows <= TILE_HEIGHT
            assert columns <= TILE_WIDTH
            top, left = int(tile.top / scale), int(tile.left / scale)
            covered[top : top + int(np.ceil(tile.height / scale)) + 1, left : left + int(np.ceil(tile.width / scale)) + 1] = True
        assert covered.all()
    assert min(scales) <= 1.1
    if min(width, height) > 400:
        assert len(scales) == 3


def test_all_that_a_live_stream_looks_at_was_warmed_up(scene, detector):
    finder = FaceFinder(detector)
    finder.warm_up(640, 480)
    known = set(detector.shapes)
    for n in range(60):
        finder.update(scene((300 + n, 240)), until=1e12)
        finder.catch_up()
    assert set(detector.shapes) == known
