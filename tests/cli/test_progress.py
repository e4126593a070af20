"""Progress of commands, where stderr is not a terminal."""

from __future__ import annotations

import io
import logging

import pytest

from streamdeblur.archive.tasks import Task, TaskProgress
from streamdeblur.cli import progress
from streamdeblur.cli.batch_progress import BatchProgress
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


def task(name, kind, frames=None):
    return Task(name, kind, "in.mp4", name.partition("#")[0], 0, (0, 0), frames=frames)


def test_a_batch_says_how_many_files_and_frames_are_done_and_failed(clock, caplog):
    caplog.set_level(logging.INFO)
    parts = [task("a.mp4#1", "segment", 100), task("a.mp4#2", "segment", 100), task("a.mp4#join", "join")]
    other = task("b.mp4", "video", 50)
    with BatchProgress(quiet=False) as line:
        line.plan(["a.mp4", "b.mp4", "complete.mp4"], [*parts, other])
        clock(60.0)
        line.begin(parts[0])
        line.begin(other)
        line.progress(TaskProgress("a.mp4#1", 0, 0))
        clock(70.0)
        line.progress(TaskProgress("a.mp4#1", 50, 9))
        line.end(parts[0], 100)
        line.failed(1)
        clock(80.0)
        line.end(other, 0)
        line.begin(parts[2])
        clock(90.0)
        line.end(parts[2], 200)
    assert caplog.messages == [
        "1/3 files, 0.0 fps, frame 0 of 250 (a.mp4#1: 0)",
        "1/3 files, 5.0 fps, frame 50 of 250, ETA 40 s (a.mp4#1: 50, b.mp4: 0)",
        "1/3 files, 1 failed, 5.0 fps, frame 100 of 250, ETA 30 s",
        "2/3 files, 1 failed, 3.3 fps, frame 100 of 250, ETA 45 s",
    ]


def test_a_batch_shows_each_file_on_a_terminal(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", terminal)
    # what looks like the markup of rich, and a character that controls a terminal
    name = "a[/b]\x1b.mp4"
    parts = [task(f"{name}#1", "segment", 100), task(f"{name}#2", "segment", 100)]
    with BatchProgress(quiet=False) as bars:
        bars.plan([name], parts)
        for part in parts:
            bars.begin(part)
        bars.progress(TaskProgress(f"{name}#2", 30, 1))
        bars.end(parts[0], 100)
        bars._bar.refresh()
        assert r"a[/b]\x1b.mp4" in terminal.getvalue()
        assert bars._bar.tasks[1].completed == 130
        assert [one.description for one in bars._bar.tasks] == ["all", r"a[/b]\x1b.mp4"]
        bars.end(parts[1], 100)
        assert [one.description for one in bars._bar.tasks] == ["all"]
