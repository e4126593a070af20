"""Times and sizes are understood as people write them, in Python, YAML and on the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streamdeblur import VideoOptions
from streamdeblur.errors import OptionError
from streamdeblur.live.options import LiveOptions
from streamdeblur.options import PipeOptions
from streamdeblur.training.blur.options import BlurOptions
from support.cli import run

TIMES = {
    "90": 90.0, "90.5": 90.5, " 1:30 ": 90.0, "1:30": 90.0, "00:01:30.5": 90.5, "1:00:00": 3600.0, "90:00": 5400.0,
    "0:00.25": 0.25, 90: 90.0, timedelta(minutes=1, seconds=30): 90.0, "1e2": 100.0,
}  # fmt: skip
NO_TIMES = [
    "1:60", "1:2:3:4", ":30", "1:", "1:-3", "-1", "1:99:00", "soon", "", "nan", "inf", "1e99", "9" * 5000, 
    "\u0661:\u0663\u0660", None, True,
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_a_time_is_understood_everywhere(tmp_path, text, seconds):
    assert VideoOptions(start=text).start == seconds
    assert VideoOptions.load(duration=text).duration == seconds
    assert BlurOptions(start=text).start == seconds
    (tmp_path / "c.yaml").write_text(f"start: {text}\n")
    if not isinstance(text, timedelta):
        assert VideoOptions.load(tmp_path / "c.yaml").start == seconds


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(OptionError, match=r"start: must be a time: seconds, or \[HH:\]MM:SS"):
        VideoOptions(start=text)


@pytest.mark.parametrize("text", ["1280x720", "1280X720", (1280, 720), [1280, 720]])
def test_a_size_is_understood(text):
    assert LiveOptions(size=text).size == PipeOptions(size=text).size == (1280, 720)


@pytest.mark.parametrize(
    "text", ["1280", "1280x", "x720", "0x10", "10x0", "99999x1", "1x2x3", "-1x3", (1,), (1, 2, 3), 5, "1280\u00d7720"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(OptionError, match="size: must be WIDTHxHEIGHT, such as 1280x720"):
        LiveOptions(size=text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("video", "a.mp4", "b.mp4", "--start", "1:3x"), "start: must be a time"),
        (("video", "a.mp4", "b.mp4", "--start", "1:30", "--duration", "0:01"), "No such file: a.mp4"),
        (("blur", "a.mp4", "b", "--start", "1:99"), "start: must be a time"),
        (("live", "--seconds", "x"), "is not a time"),
        (("live", "--size", "12"), "size: must be WIDTHxHEIGHT"),
        (("pipe", "--size", "12"), "size: must be WIDTHxHEIGHT"),
        (("demo", "--seconds", "1:01"), "from 0.2 to 60 s"),
    ],
)
def test_commands_take_them(tmp_path, arguments, words):
    done = run(*arguments, cwd=tmp_path)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_the_help_shows_how_they_are_written():
    assert "TIME" in run("video", "--help").stdout
    assert "WIDTHxHEIGHT" in run("live", "--help").stdout
