"""Where not all faces can be restored, the same ones are, and they fade."""

from __future__ import annotations

import itertools

import pytest

from streamdeblur.faces.hysteresis import FADE_FRAMES
from streamdeblur.faces.steady import CHALLENGE_FRAMES, FORGOTTEN_FRAMES, SteadyFaces, importance
from streamdeblur.faces.window import FaceWindow


def presences(steady, faces, most=None):
    """What is shown of each face, by its track; faces: their importances, by their tracks."""
    return dict(zip(faces, steady.choose(list(faces), list(faces.values()), most), strict=True))


def test_large_and_central_faces_are_important():
    def at(x, y, side=100):
        return importance(FaceWindow(x, y, side), 640, 360)

    assert at(320, 180) > at(400, 180) > at(630, 180) > 0
    assert at(320, 20) == at(320, 340) < at(320, 180)
    assert at(20, 20, side=200) > at(320, 180)
    assert at(-50, 700) >= 100


def test_without_a_limit_all_faces_are_shown_whole():
    steady = SteadyFaces()
    for _ in range(3):
        assert presences(steady, {1: 10.0, 2: 20.0, None: 5.0}) == {1: 1.0, 2: 1.0, None: 1.0}


def test_the_most_important_faces_are_restored_and_stay_while_others_come_close():
    steady = SteadyFaces()
    for n in range(50):
        jitter = 1.0 + 0.1 * (-1) ** n
        assert presences(steady, {1: 10.0, 2: 20.0 * jitter, 3: 20.0 / jitter}, most=1) == {1: 0.0, 2: 1.0, 3: 0.0}


def test_a_face_that_is_more_important_for_long_takes_over_gradually():
    steady = SteadyFaces()
    presences(steady, {1: 20.0, 2: 10.0}, most=1)
    shown = [presences(steady, {1: 10.0, 2: 20.0}, most=1) for _ in range(CHALLENGE_FRAMES + FADE_FRAMES)]
    assert shown[CHALLENGE_FRAMES - 2] == {1: 1.0, 2: 0.0}
    steps = [n / FADE_FRAMES for n in range(1, FADE_FRAMES + 1)]
    assert [frame[2] for frame in shown[CHALLENGE_FRAMES - 1 :]][:FADE_FRAMES] == steps
    assert [frame[1] for frame in shown[CHALLENGE_FRAMES - 1 :]][:FADE_FRAMES] == [1 - step for step in steps]


@pytest.mark.parametrize("limits", [[2, 1], [1, 2], [2, 0], [0, 2], [3, 1, 2, 0, 3]])
def test_no_face_jumps_when_the_number_of_faces_changes(limits):
    steady, faces = SteadyFaces(), {1: 30.0, 2: 20.0, 3: 10.0}
    shown = [presences(steady, faces, most) for most in limits for _ in range(FADE_FRAMES + 1)]
    for before, after in itertools.pairwise(shown):
        assert all(abs(after[track] - before[track]) <= 1 / FADE_FRAMES for track in faces)
    assert [sum(frame.values()) for frame in shown[FADE_FRAMES :: FADE_FRAMES + 1]] == limits


def test_a_face_that_was_not_ready_comes_back_gradually():
    steady = SteadyFaces()
    presences(steady, {1: 10.0, 2: 10.0})
    steady.missed(1)
    steady.missed(None)
    steady.missed("never seen")
    shown = [presences(steady, {1: 10.0, 2: 10.0}) for _ in range(FADE_FRAMES)]
    assert [frame[1] for frame in shown] == [n / FADE_FRAMES for n in range(1, FADE_FRAMES + 1)]
    assert all(frame[2] == 1.0 for frame in shown)


def test_a_place_is_free_when_its_face_is_gone_and_a_face_that_returns_late_is_new():
    steady = SteadyFaces()
    presences(steady, {1: 20.0, 2: 10.0}, most=1)
    assert presences(steady, {2: 10.0}, most=1) == {2: 1 / FADE_FRAMES}
    for _ in range(FORGOTTEN_FRAMES + 1):
        presences(steady, {2: 10.0}, most=1)
    assert presences(steady, {1: 20.0, 2: 10.0}, most=2) == {1: 1.0, 2: 1.0}
    steady.clear()
    assert presences(steady, {2: 10.0}) == {2: 1.0}
