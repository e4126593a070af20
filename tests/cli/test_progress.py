"""Progress of commands, where stderr is not a terminal."""

from __future__ import annotations

import logging

import pytest

from streamdeblur.cli import progress
from streamdeblur.cli.progress import ProgressLine


@pytest.fixture
def clock(monkeypatch):
    """A function that sets the time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def test_a_line_comes_every_few_seconds_and_says_how_long_it_takes(clock, caplog):
    caplog.set_level(logging.INFO)
    with ProgressLine("talk.mp4", quiet=False) as line:
        for second in range(12):
            clock(float(second))
            line.show(10 * second, 240 if second < 8 else None, "frames, 10.0 fps")
    assert caplog.messages == ["talk.mp4: 50/240 frames, 10.0 fps, ETA 19 s", "talk.mp4: 100/? frames, 10.0 fps"]


def test_the_time_left_is_that_of_the_phase(clock, caplog):
    caplog.set_level(logging.INFO)
    with ProgressLine("lite.onnx", quiet=False) as line:
        line.show(50, 50, "first phase")
        clock(100.0)
        line.show(0, 4, "second phase")
        clock(110.0)
        line.show(1, 4, "second phase")
    assert caplog.messages[-1] == "lite.onnx: 1/4 second phase, ETA 30 s"


def test_quiet_shows_nothing(clock, caplog):
    caplog.set_level(logging.INFO)
    with ProgressLine("talk.mp4", quiet=True) as line:
        clock(100.0)
        line.show(1, 2, "frames")
    assert caplog.messages == []


def test_what_it_took_to_begin_does_not_count_in_the_time_left(clock, caplog):
    caplog.set_level(logging.INFO)
    with ProgressLine("talk.mp4", quiet=False) as line:
        clock(60.0)
        line.show(1, 101, "frames")
        clock(66.0)
        line.show(61, 101, "frames")
    assert caplog.messages == ["talk.mp4: 1/101 frames", "talk.mp4: 61/101 frames, ETA 4 s"]


def test_more_than_the_file_declares_is_shown_without_a_total(clock, caplog):
    caplog.set_level(logging.INFO)
    with ProgressLine("talk.ts", quiet=False) as line:
        line.show(1, 25, "frames")
        clock(6.0)
        line.show(30, 25, "frames")
    assert caplog.messages == ["talk.ts: 30/? frames"]
