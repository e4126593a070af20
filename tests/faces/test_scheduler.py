"""The face scheduler: which faces are restored before a deadline."""

from __future__ import annotations

import time

import numpy as np
import pytest

from streamdeblur.faces.scheduler import RESTORED_BONUS, FaceScheduler


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    """What else the machine does takes no time."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)


def in_seconds(seconds):
    return time.monotonic() + seconds


def test_without_a_deadline_all_faces_are_restored():
    assert FaceScheduler().select([1.0, 5.0, 2.0], [None] * 3, None) == [0, 1, 2]


def test_the_faces_of_highest_priority_that_fit_are_selected_in_their_order():
    scheduler = FaceScheduler()
    scheduler.seconds_per_face = 0.1
    assert scheduler.select([1.0, 5.0, 2.0, 4.0], [1, 2, 3, 4], in_seconds(0.35)) == [1, 2, 3]
    assert scheduler.select([1.0, 5.0, 2.0, 4.0], [1, 2, 3, 4], in_seconds(0.15)) == [1]
    assert scheduler.select([1.0, 5.0], [1, 2], in_seconds(0.05)) == []
    assert scheduler.select([1.0, 5.0], [1, 2], in_seconds(-1.0)) == []


def test_a_restored_face_stays_selected_unless_another_has_clearly_higher_priority():
    scheduler = FaceScheduler()
    scheduler.seconds_per_face = 0.1
    assert scheduler.select([2.0, 1.9], [1, 2], in_seconds(0.15)) == [0]
    assert scheduler.select([2.0, 2.1], [1, 2], in_seconds(0.15)) == [0]
    assert scheduler.select([2.0, 2.0 * RESTORED_BONUS + 0.1], [1, 2], in_seconds(0.15)) == [1]


def test_the_expected_time_follows_slow_faces_faster_than_fast_ones():
    scheduler = FaceScheduler()
    scheduler.seconds_per_face = 0.010
    scheduler.update(2, 2, 0.040)
    risen = scheduler.seconds_per_face - 0.010
    assert 0.0025 < risen < 0.0075
    scheduler.seconds_per_face = 0.020
    scheduler.update(1, 1, 0.010)
    assert 0 < 0.020 - scheduler.seconds_per_face < risen / 2


def test_the_expected_time_settles_above_that_of_most_faces():
    scheduler = FaceScheduler()
    seconds = np.random.default_rng(2).normal(0.010, 0.002, 2000)
    expected = []
    for measured in seconds:
        expected.append(scheduler.seconds_per_face)
        scheduler.update(1, 1, measured)
    assert 0.65 < np.mean(np.array(expected[100:]) > seconds[100:]) < 0.95


def test_faces_that_were_not_ready_raise_the_expected_time():
    scheduler = FaceScheduler()
    scheduler.seconds_per_face = 0.010
    scheduler.update(1, 3, 0.020)
    assert scheduler.seconds_per_face > 0.0125
    before = scheduler.seconds_per_face
    scheduler.update(0, 1, 0.002)
    assert scheduler.seconds_per_face > before


def test_if_no_face_fits_one_is_tried_after_a_while():
    scheduler = FaceScheduler()
    scheduler.seconds_per_face = 0.1
    tried = [scheduler.select([1.0], [1], in_seconds(0.05)) for _ in range(60)]
    assert tried[0] == []
    assert [0] in tried


def test_faces_that_cost_less_leave_time_for_others():
    scheduler = FaceScheduler()
    scheduler.seconds_per_face = 0.1
    assert scheduler.select([4.0, 3.0, 2.0, 1.0], [None] * 4, in_seconds(0.15), [1.0, 1.0, 0.25, 0.25]) == [0, 2]
    assert scheduler.select([1.0, 2.0], [None] * 2, in_seconds(0.05), [1.0, 0.25]) == [1]
    scheduler.update(0.25, 0.25, 0.025)
    assert abs(scheduler.seconds_per_face - 0.1) < 1e-9
