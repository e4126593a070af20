"""A container that fails is not touched again."""

from __future__ import annotations

import io

import av
import pytest

from streamdeblur.video.muxer import Muxer
from support.media.frames import random_frame


class FullDisk(io.RawIOBase):
    """A file that takes some bytes, and no more."""

    error = None

    def __init__(self, room):
        self._room = room

    def writable(self):
        return True

    def write(self, data):
        if len(data) > self._room:
            self.error = OSError(28, "No space left on device")
            raise self.error
        self._room -= len(data)
        return len(data)


@pytest.mark.parametrize("room", [0, 300, 5000])
@pytest.mark.parametrize("kind", ["matroska", "webm", "mpegts", "nut", "avi"])
def test_after_a_failure_the_first_error_is_raised_again(kind, room):
    """FFmpeg crashes when a packet follows a header that could not be written."""
    file = FullDisk(room)
    container = av.open(file, "w", format=kind)
    stream = container.add_stream("libvpx" if kind == "webm" else "libx264", rate=25, width=64, height=64)
    muxer, errors = Muxer(container, file), []
    for number in range(40):
        frame = random_frame("yuv420p", 64, 64, seed=number)
        frame.pts = number
        packets = stream.encode(frame)
        try:
            muxer.mux(packets)
        except OSError as error:
            errors.append(error)
    for last in (lambda: muxer.mux(stream.encode(None)), muxer.finish, muxer.finish):
        with pytest.raises(OSError, match="No space left"):
            last()
    muxer.abandon()
    muxer.abandon()
    assert {id(error) for error in errors} <= {id(file.error)}
