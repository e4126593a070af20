"""The latest-frame slot, latencies, the playout delay, and back-off."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from streamdeblur.live.latest_frame import LatestFrameSlot
from streamdeblur.live.timing import ARRIVALS, FIRST_PAUSE, LONGEST_PAUSE, Backoff, FrameInterval, Latencies, PlayoutDelay


def test_a_new_item_replaces_a_stale_one_which_is_counted():
    slot = LatestFrameSlot()
    for number in range(5):
        assert slot.put(number)
    assert slot.take() == 4
    assert slot.dropped == 4
    assert slot.take(timeout=0.01) is None


def test_a_blocking_slot_loses_nothing():
    slot, taken = LatestFrameSlot(blocking=True), []

    def put_all():
        for number in range(50):
            slot.put(number)
        slot.close()

    threading.Thread(target=put_all).start()
    while not slot.ended:
        taken.append(slot.take(1.0))
    assert [item for item in taken if item is not None] == list(range(50))
    assert slot.dropped == 0


def test_a_closed_slot_returns_its_item_and_refuses_others():
    slot = LatestFrameSlot()
    slot.put("last")
    slot.close()
    assert not slot.ended
    assert not slot.put("late")
    assert slot.take() == "last"
    assert slot.ended
    assert slot.take() is None


def test_latencies_are_those_of_the_sorted_list():
    seconds = np.random.default_rng(0).gamma(4.0, 0.005, 2001)
    latencies = Latencies()
    assert latencies.milliseconds() == {"p50": None, "p95": None, "p99": None}
    for value in seconds:
        latencies.add(value)
    ordered = np.sort(seconds)
    for share in (0.5, 0.95, 0.99, 1.0):
        assert latencies.quantile(share) == pytest.approx(ordered[math.ceil(share * 2001) - 1], abs=1e-4)


def test_the_playout_delay_is_what_most_frames_take():
    random = np.random.default_rng(1)
    delay = PlayoutDelay()
    late = []
    for seconds in random.normal(0.02, 0.002, 3000):
        late.append(seconds > delay.seconds)
        delay.update(seconds, longest=0.1)
    assert 0.03 < np.mean(late[500:]) < 0.07
    assert delay.seconds < 0.025
    for _ in range(100):
        delay.update(5.0, longest=0.1)
    assert delay.seconds == 0.1


@pytest.mark.parametrize(
    ("stated", "really", "taken"), [(30, 30, 30), (30, 27, 30), (30, 15, 15), (25, 60, 60), (15, 12.5, 15), (30, 7.5, 7.5)]
)
def test_the_interval_of_a_source_is_measured_where_it_is_not_as_stated(stated, really, taken):
    interval, random, now = FrameInterval(1 / stated), np.random.default_rng(2), 100.0
    for number in range(200):
        assert number >= ARRIVALS or interval.seconds == 1 / stated
        now += 1 / really
        # frames arrive unevenly, and one in ten is lost
        if random.random() > 0.1:
            interval.add(now + random.normal(0.0, 0.05 / really))
    assert interval.seconds == pytest.approx(1 / taken, rel=0.05)


def test_frames_at_the_same_time_say_nothing():
    interval = FrameInterval(0.04)
    for _ in range(2 * ARRIVALS):
        interval.add(5.0)
    assert interval.seconds == 0.04


def test_a_recording_does_not_come_faster_than_it_states():
    """Where its reader was late, frames follow one another at once."""
    for recorded, seconds in ((True, 1 / 30), (False, 1 / 60)):
        interval = FrameInterval(1 / 30, recorded=recorded)
        for number in range(2 * ARRIVALS):
            interval.add(number / 60)
        assert interval.seconds == pytest.approx(seconds)


def test_breaks_of_a_stream_are_no_intervals():
    interval, now = FrameInterval(1 / 30), 0.0
    for _ in range(4 * ARRIVALS):
        for step in (8.0, 1 / 30, 1 / 30):
            now += step
            interval.add(now)
    assert interval.seconds == 1 / 30


def test_pauses_grow_until_an_attempt_succeeds():
    backoff = Backoff()
    assert backoff.due()
    pauses = [backoff.failed() for _ in range(8)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert max(pauses) == pauses[-1] == LONGEST_PAUSE
    assert not backoff.due()
    backoff.succeeded()
    assert backoff.due()
    assert backoff.failed() == FIRST_PAUSE
