"""When a live stream that is too slow says so."""

from __future__ import annotations

import pytest

from streamdeblur.live.summary import LivePlan, LiveSummary
from streamdeblur.live.unrestored import FEWEST_FACES, FIRST_SECONDS, LONGEST_SECONDS, UnrestoredFaces, share_unrestored
from streamdeblur.live.view import MOST_GAINS, overlay_lines
from streamdeblur.statistics import RestorationStatistics


class Stream:
    """A stream of 30 frames per second with two blurred faces, and what its user is told."""

    def __init__(self):
        self.watch, self.counts, self.now = UnrestoredFaces(0.0), RestorationStatistics(), 0.0

    def run(self, seconds, unrestored):
        """Returns the judgements that changed, of faces of which this share passes unrestored."""
        told, end = [], self.now + seconds
        while self.now < end:
            self.now += 1 / 30
            self.counts.passed_through += 2 * unrestored
            self.counts.restored += 2 * (1 - unrestored)
            if self.watch.update(self.counts, self.now):
                told.append(self.watch.too_many)
        return told


def test_a_slow_stream_is_told_of_once_and_again_when_it_changes():
    stream = Stream()
    assert stream.run(10, unrestored=0.05) == []
    assert stream.run(60, unrestored=0.5) == [True]
    assert stream.watch.share == pytest.approx(0.5)
    assert stream.run(60, unrestored=0.07) == []
    assert stream.run(60, unrestored=0.01) == [False]
    assert stream.run(60, unrestored=1) == [True]


def test_a_stream_at_the_limit_is_not_told_of_all_the_time():
    stream = Stream()
    changes = sum(len(stream.run(5, unrestored=share)) for _ in range(180) for share in (0.0, 0.4))
    assert changes <= 12 + 1800 / LONGEST_SECONDS


def test_few_faces_are_not_judged():
    watch = UnrestoredFaces(0.0)
    assert not watch.update(RestorationStatistics(passed_through=FEWEST_FACES - 1), 10 * FIRST_SECONDS)
    assert watch.update(RestorationStatistics(passed_through=FEWEST_FACES), 11 * FIRST_SECONDS)


def test_the_share_of_a_whole_stream():
    assert share_unrestored(RestorationStatistics()) == 0
    assert share_unrestored(RestorationStatistics(passed_through=1, restored=3)) == 0.25


def test_the_overlay_shows_it():
    assert overlay_lines("camera 0", LiveSummary(), None)[0] == "camera 0"
    assert overlay_lines("camera 0", LiveSummary(), None) == [
        line for line in overlay_lines("camera 0", LiveSummary(), 0.4) if "40%" not in line
    ]
    plan = LivePlan("lite", 128, 192, 2, 15.0, 14.2, 9.0, 56.7, "")
    assert overlay_lines("camera 0", LiveSummary(plan=plan), None)[-2:] == [
        "lite, crops up to 192 px, up to 2 faces, 15 fps:",
        "a face takes 14 ms, the rest 9 ms, of 57 ms",
    ]
    assert overlay_lines("camera 0", LiveSummary(), 0.4)[-1] == "Too slow: 40% of the faces pass unrestored"
    assert overlay_lines("camera 0", LiveSummary(), None, [1.31, 0.04])[-1] == "gain to be expected in dB: 1.3, 0.0"
    assert overlay_lines("camera 0", LiveSummary(), None, [1.0] * 20)[-1].count("1.0") == MOST_GAINS
