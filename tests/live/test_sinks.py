"""Recordings, virtual cameras and network streams, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from streamdeblur.errors import InputError, OptionError, OutputError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.sources import open_live_source
from streamdeblur.live.timing import TICKS
from support.live import yuv_frame


@pytest.fixture
def frame(few_pictures):
    return yuv_frame(few_pictures[0])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "out.mkv"


def test_a_recording_never_replaces_another_file(frame, file):
    """After an interruption it continues in the next free file; one without a frame leaves nothing."""
    taken = file.with_name("out-2.mkv")
    taken.write_bytes(b"precious")
    opener = sink_opener(str(file), LiveOptions())
    for number in range(3):
        sink = opener(frame, Fraction(25))
        frame.pts, frame.time_base = number, Fraction(1, TICKS)
        if number != 1:
            sink.write(frame)
        sink.close()
    assert sorted(path.name for path in file.parent.iterdir()) == ["out-2.mkv", "out-4.mkv", "out.mkv"]
    assert taken.read_bytes() == b"precious"


def test_a_recording_does_not_replace_a_file_unless_asked_to(file):
    file.write_bytes(b"precious")
    with pytest.raises(OptionError, match="--overwrite"):
        sink_opener(str(file), LiveOptions())
    assert file.read_bytes() == b"precious"


def test_a_recording_over_a_folder_is_refused(file):
    file.mkdir()
    with pytest.raises(OptionError, match=r"out\.mkv is a folder"):
        sink_opener(str(file), LiveOptions(overwrite=True))


def test_an_unknown_encoder_leaves_no_file(frame, file):
    with pytest.raises(OptionError, match="libx999"):
        sink_opener(str(file), LiveOptions(codec="libx999"))(frame, Fraction(25))
    assert not list(file.parent.iterdir())


def test_the_error_for_a_missing_virtual_camera_contains_the_command_that_creates_one(frame):
    pytest.importorskip("pyvirtualcam", reason="pyvirtualcam comes with the extra live")
    with pytest.raises(OutputError, match="modprobe v4l2loopback"):
        sink_opener("camera:/dev/video99", LiveOptions())(frame, Fraction(25))


def test_a_protocol_that_ffmpeg_does_not_support_is_named(frame):
    if "srt" in av.formats_available and _supported("srt://127.0.0.1:9"):
        pytest.skip("this FFmpeg supports SRT")
    with pytest.raises(OutputError, match="without SRT"):
        sink_opener("srt://127.0.0.1:9", LiveOptions())(frame, Fraction(25))
    with pytest.raises(InputError, match=r"without SRT.*\n.*rawvideo"):
        open_live_source(LiveOptions(source="srt://127.0.0.1:9"))


def _supported(url):
    try:
        av.open(url, timeout=0.1)
    except av.ProtocolNotFoundError:
        return False
    except av.FFmpegError:
        return True
