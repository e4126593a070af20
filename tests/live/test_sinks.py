"""Virtual cameras and network streams, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from streamdeblur.errors import InputError, OutputError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.sources import open_live_source
from support.live import yuv_frame


@pytest.fixture
def frame(few_pictures):
    return yuv_frame(few_pictures[0])


def test_the_error_for_a_missing_virtual_camera_contains_the_command_that_creates_one(frame):
    pytest.importorskip("pyvirtualcam", reason="pyvirtualcam comes with the extra live")
    with pytest.raises(OutputError, match="modprobe v4l2loopback"):
        sink_opener("camera:/dev/video99", LiveOptions())(frame, Fraction(25), None)


def test_a_protocol_that_ffmpeg_does_not_support_is_named(frame):
    if "srt" in av.formats_available and _supported("srt://127.0.0.1:9"):
        pytest.skip("this FFmpeg supports SRT")
    with pytest.raises(OutputError, match="without SRT"):
        sink_opener("srt://127.0.0.1:9", LiveOptions())(frame, Fraction(25), None)
    with pytest.raises(InputError, match=r"without SRT.*\n.*rawvideo"):
        open_live_source(LiveOptions(source="srt://127.0.0.1:9"))


def _supported(url):
    try:
        av.open(url, timeout=0.1)
    except av.ProtocolNotFoundError:
        return False
    except av.FFmpegError:
        return True
