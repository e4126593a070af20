"""Following faces: smooth where they are still, quick where they move."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.face import Face
from streamdeblur.faces.find import FaceFinder, FrameChanges
from streamdeblur.faces.track import FaceTracker, Track
from streamdeblur.video.planes import array_planes


@pytest.fixture(scope="module")
def detector():
    return open_detector("centerface")


@pytest.fixture(scope="module")
def portrait(photograph):
    """One face of 137 px with its centre at (200, 200): uint8 RGB [400, 400, 3]."""
    return np.ascontiguousarray(photograph[212:612, 597:997])


def scene(portrait, x, y, size=137.0, shape=(720, 1280), seed=None):
    """A gray frame with the portrait's face of `size` pixels centred at (x, y), with noise where a seed is given."""
    scale = size / 137.0
    matrix = np.array([[scale, 0, x - 200 * scale], [0, scale, y - 200 * scale]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if scale < 0.5:
        small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = np.array([[1.0, 0, x - 200 * scale], [0, 1.0, y - 200 * scale]])
        frame = cv2.warpAffine(small, matrix, shape[::-1], flags=flags, borderValue=(90, 90, 90))
    else:
        frame = cv2.warpAffine(portrait, matrix, shape[::-1], flags=flags, borderValue=(90, 90, 90))
    if seed is not None:
        # OpenCV's generator takes a quarter of the time of NumPy's
        cv2.setRNGSeed(seed)
        frame = cv2.add(frame, cv2.randn(np.empty(frame.shape, np.int16), (0, 0, 0), (4, 4, 4)), dtype=cv2.CV_8U)
    return array_planes(np.ascontiguousarray(frame))


def test_the_window_of_a_still_face_hardly_moves(detector, portrait):
    """Over two seconds of sensor noise it stays within 0.5 px rms, in place and in size."""
    finder = FaceFinder(detector)
    windows = []
    for n in range(60):
        (track,) = finder.update(scene(portrait, 640.4, 360.7, seed=n))
        assert track.track_id == 1
        window = track.window(1.7)
        windows.append((window.centre_x, window.centre_y, window.side / 2))
    assert np.std(windows[5:], axis=0).max() < 0.5


@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.0, 1.0), (-0.7, -0.7)])
def test_a_face_that_moves_by_half_its_width_is_followed_at_once(detector, portrait, direction):
    finder = FaceFinder(detector)
    x, y = 600.0, 350.0
    for n in range(6):
        finder.update(scene(portrait, x, y, seed=n))
    before = finder.update(scene(portrait, x, y))[0].centre.copy()
    step = 0.5 * 110 * np.array(direction)
    after = finder.update(scene(portrait, *(np.array([x, y]) + step)))
    assert len(after) == 1
    assert after[0].track_id == 1
    assert np.hypot(*(after[0].centre - before - step)) < 0.1 * 137


def test_steady_motion_is_followed_between_full_detections(detector, portrait):
    finder = FaceFinder(detector, detect_every=30)
    errors = []
    for n in range(25):
        track = finder.update(scene(portrait, 200 + 20 * n, 300 + 5 * n))[0]
        errors.append(track.centre[0] - (200 + 20 * n))
    assert np.abs(np.diff(errors[3:])).max() < 12
    assert np.ptp(errors[3:]) < 0.15 * 137


@pytest.mark.parametrize("size", [20, 45, 137, 400, 1000])
def test_faces_from_20_to_1000_pixels(detector, portrait, size):
    shape = (1440, 1920) if size > 500 else (720, 1280)
    finder = FaceFinder(detector, min_face=20)
    for n in range(3):
        tracks = finder.update(scene(portrait, shape[1] / 2, shape[0] / 2, size, shape, seed=n))
    assert len(tracks) == 1
    assert tracks[0].size == pytest.approx(size, rel=0.25)


def test_faces_below_the_smallest_are_not_returned(detector, portrait):
    for size, expected in ((50, 0), (137, 1)):
        assert len(FaceFinder(detector, min_face=80).update(scene(portrait, 640, 360, size))) == expected


def test_many_faces_keep_their_identities(detector, photograph):
    finder = FaceFinder(detector)
    seen = []
    for n in range(12):
        shifted = np.roll(photograph, 2 * n, axis=1)
        tracks = finder.update(array_planes(np.ascontiguousarray(shifted)))
        seen.append({track.track_id: track.centre[0] - 2 * n for track in tracks})
    kept = seen[0].keys() & seen[-1].keys()
    assert len(kept) >= 5
    for identity in kept:
        assert abs(seen[0][identity] - seen[-1][identity]) < 30


def test_a_face_that_leaves_the_frame_is_followed_to_the_border_and_forgotten(detector, portrait):
    finder = FaceFinder(detector)
    for n in range(30):
        tracks = finder.update(scene(portrait, 1150 + 9 * n, 360))
        if n == 8:
            assert len(tracks) == 1
            window = tracks[0].window(1.7)
            assert window.left + window.side > 1280
    assert tracks == []


def test_a_scene_cut_starts_new_tracks_in_its_first_frame(detector, portrait, photograph):
    finder = FaceFinder(detector)
    for n in range(4):
        assert [t.track_id for t in finder.update(scene(portrait, 300, 300, seed=n))] == [1]
    cut = np.ascontiguousarray(photograph[:720])
    tracks = finder.update(array_planes(cut))
    assert finder.cuts == 1
    assert len(tracks) >= 4
    assert all(track.track_id > 1 for track in tracks)


def test_motion_noise_and_a_change_of_exposure_are_no_cuts(portrait):
    cuts = FrameChanges()
    frames = [scene(portrait, 300 + 40 * n, 300, seed=n) for n in range(5)]
    dimmed = [array_planes((frames[4].arrays[0].reshape(720, 1280, 3) * (1 - 0.05 * n)).astype(np.uint8)) for n in range(5)]
    assert not any(cuts(planes) for planes in frames + dimmed)


def test_a_lost_face_is_predicted_for_a_while(detector, portrait):
    finder = FaceFinder(detector, detect_every=3)
    for n in range(5):
        finder.update(scene(portrait, 300 + 15 * n, 300))
    hidden = array_planes(np.full((720, 1280, 3), 90, np.uint8))
    found = [len(finder.update(hidden)) for _ in range(12)]
    assert found[0] == 1
    assert found[-1] == 0


def face(x, y, size, score=0.9):
    return Face(np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2], np.float32), score)


def test_two_faces_that_pass_each_other_keep_their_identities():
    tracker = FaceTracker()
    for n in range(30):
        tracker.predict()
        tracker.correct([face(100 + 8 * n, 100, 50), face(340 - 8 * n, 140, 55)], list(tracker.tracks), start=True)
        tracker.prune(640, 480)
    ends = {track.track_id: track.centre[0] for track in tracker.tracks}
    assert ends == {1: pytest.approx(332, abs=8), 2: pytest.approx(108, abs=8)}


def test_two_tracks_on_one_face_become_one():
    tracker = FaceTracker()
    tracker.tracks = [Track.start(1, face(100, 100, 50)), Track.start(2, face(104, 100, 50))]
    tracker.prune(640, 480)
    assert [track.track_id for track in tracker.tracks] == [1]


class Counting:
    """A detector that counts its views: local ones, and of the whole frame."""

    def __init__(self, detector):
        self.smallest_face, self._detector, self.views, self.full = detector.smallest_face, detector, 0, 0

    def detect(self, rgb):
        local = rgb.shape[:2] in ((64, 64), (96, 96))
        self.views += local
        self.full += not local
        return self._detector.detect(rgb)


def test_without_time_the_faces_take_turns_and_none_is_lost(photograph):
    planes = array_planes(photograph)
    counting = Counting(open_detector("centerface"))
    finder = FaceFinder(counting)
    found = finder.update(planes)
    assert len(found) == 6
    for _ in range(12):
        counting.views = 0
        tracks = finder.update(planes, until=time.monotonic())
        assert counting.views == 1
        assert {track.track_id for track in tracks} == {track.track_id for track in found}


def test_with_a_deadline_the_whole_frame_is_looked_at_when_the_frame_is_on_its_way(detector, portrait):
    """A face that comes in beside another is found by that look, and followed from the next frame on."""
    counting = Counting(detector)
    finder = FaceFinder(counting, detect_every=3)
    alone = scene(portrait, 300, 360)
    both = array_planes(
        np.maximum(alone.arrays[0].reshape(720, 1280, 3), scene(portrait, 900, 360).arrays[0].reshape(720, 1280, 3))
    )
    assert len(finder.update(alone, until=time.monotonic() + 60)) == 1
    first = counting.full
    assert first > 0, "without any face, there is nothing to put it off for"
    for _ in range(3):
        assert len(finder.update(both, until=time.monotonic() + 60)) == 1
        assert counting.full == first
    finder.catch_up()
    assert counting.full == 2 * first
    assert len(finder.update(both, until=time.monotonic() + 60)) == 2
    finder.catch_up()
    assert counting.full == 2 * first, "there is nothing left to be done"


def test_a_look_that_nobody_caught_up_with_is_done_with_the_next_frame(detector, portrait):
    counting = Counting(detector)
    finder = FaceFinder(counting, detect_every=2)
    planes = scene(portrait, 640, 360)
    finder.update(planes)
    first = counting.full
    for _ in range(3):
        finder.update(planes, until=time.monotonic() + 60)
    assert counting.full == 2 * first


def test_what_is_caught_up_with_is_of_the_scene_before_a_cut(detector, portrait, photograph):
    """Its faces are not looked for in the new scene, and those of the new one are found at once."""
    finder = FaceFinder(detector, detect_every=2)
    for n in range(3):
        finder.update(scene(portrait, 300, 300, seed=n), until=time.monotonic() + 60)
    tracks = finder.update(array_planes(np.ascontiguousarray(photograph[:720])), until=time.monotonic() + 60)
    assert finder.cuts == 1
    assert len(tracks) >= 4
    assert all(track.track_id > 1 for track in tracks)
    finder.reset()
    finder.catch_up()
    assert finder.update(array_planes(np.full((720, 1280, 3), 90, np.uint8))) == []


class BrightSquares:
    """A detector of bright squares, which takes no time, so that many frames can be searched."""

    smallest_face = 15.0

    def detect(self, rgb):
        _, _, found, _ = cv2.connectedComponentsWithStats((rgb[..., 0] > 150).astype(np.uint8))
        return [Face(np.array([x, y, x + w, y + h], np.float32), 0.9) for x, y, w, h, _ in found[1:] if min(w, h) >= 10]


def squares(width, height, *places, background=0):
    """A frame with a bright square at each place, (x, y, size), before a background of up to 128."""
    picture = np.zeros((height, width, 3), np.uint8) + background
    for x, y, size in places:
        picture[y - size // 2 : y + size // 2, x - size // 2 : x + size // 2] = 255
    return array_planes(np.ascontiguousarray(picture, np.uint8))


def test_a_face_that_is_missed_beside_another_does_not_take_its_track(detector, portrait):
    both = np.full((400, 600, 3), 90, np.uint8)
    for left in (150, 300):
        both[100:300, left : left + 150] = portrait[100:300, 125:275]
    one = both.copy()
    one[:, :300] = 90
    finder = FaceFinder(detector)
    for n in range(16):
        tracks = finder.update(array_planes(one if n in (8, 9) else both))
        assert {track.track_id: track.centre[0] for track in tracks} == pytest.approx({1: 225, 2: 375}, abs=15) or n == 0
    assert len(tracks) == 2


def test_a_crowd_keeps_its_identities():
    """Of faces that are looked at in turns, none is lost while it waits."""
    finder = FaceFinder(BrightSquares())
    crowd = squares(1280, 720, *((60 + 100 * (n % 12), 60 + 120 * (n // 12), 60) for n in range(60)))
    found = {track.track_id for track in finder.update(crowd)}
    assert len(found) == 60
    for _ in range(30):
        assert {track.track_id for track in finder.update(crowd)} == found


def test_frames_of_another_size_begin_a_new_shot():
    """Although they are alike once they are reduced."""
    finder = FaceFinder(BrightSquares())
    for _ in range(3):
        before = finder.update(squares(1920, 1080, (800, 500, 200)))
    (track,) = finder.update(squares(960, 540, (400, 250, 100)))
    assert finder.cuts == 1
    assert track.track_id != before[0].track_id
    assert track.centre == pytest.approx([400, 250], abs=2)


@pytest.mark.parametrize(("width", "height", "frames"), [(1280, 720, 50), (1920, 1080, 55), (3840, 2160, 80)])
@pytest.mark.parametrize("place", [(0.1, 0.9), (0.95, 0.95)])
def test_in_real_time_a_small_face_is_found_anywhere_in_the_stated_time(width, height, frames, place):
    """While the camera moves, so that only the finest search shows that somebody came in."""
    finder, noise = FaceFinder(BrightSquares()), np.random.default_rng(0).integers(0, 128, (64, 64, 1), np.uint8)
    background = np.tile(noise.repeat(16, 0).repeat(16, 1), (height // 1024 + 2, width // 1024 + 2, 3))
    newcomer = (int(place[0] * width), int(place[1] * height), 60)
    for n in range(10 + frames):
        faces = [(width // 2, height // 2, 200)] + [newcomer] * (n >= 10)
        moving = background[7 * n % 1024 :][:height, 11 * n % 1024 :][:, :width]
        tracks = finder.update(squares(width, height, *faces, background=moving), until=1e12)
        finder.catch_up()
    assert len(tracks) == 2
