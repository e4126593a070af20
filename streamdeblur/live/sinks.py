"""Sinks: the outputs of a live stream, and how they are opened by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamdeblur.errors import OptionError, OutputError
from streamdeblur.live.encoded_sinks import STREAM_FORMATS, NetworkStream, Recording, recording_parts
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.virtual_camera import VirtualCamera
from streamdeblur.video.encoders import SUFFIXES
from streamdeblur.video.raw import discard_stdout, write_raw
from streamdeblur.video.source import is_url

if TYPE_CHECKING:
    import av

PREVIEW = "preview"


class Sink(Protocol):
    """An open output."""

    continuous: bool
    """Whether viewers expect frames at all times: while the source is lost, frames with a status message are written."""
    capacity: int
    """Number of frames that may wait for it; if there are more, the oldest is dropped."""
    reopenable: bool
    """Whether it can be opened again after a failure."""

    def write(self, frame: av.VideoFrame) -> None:
        """Write a frame, whose time stamp is that of its capture; the frame must not be changed.

        Raises:
            OutputError: The output is lost.
        """

    def close(self) -> None:
        """Complete the output.

        Raises:
            OutputError: It cannot be completed.
        """


SinkOpener = Callable[["av.VideoFrame", Fraction], Sink]
"""Opens a sink for frames like this one, at this rate."""


def sink_opener(name: str, options: LiveOptions) -> SinkOpener:
    """Return the function that opens the sink of this name (see `LiveOptions.to`).

    Raises:
        OptionError: There is no such sink, or a file or folder of this name exists.
    """
    family, _, argument = name.partition(":")
    if name == "null":
        return lambda frame, rate: NullSink()
    if name == "-":
        return lambda frame, rate: StdoutSink(frame)
    if family == "camera":
        return lambda frame, rate: VirtualCamera(frame, rate, argument or None)
    if is_url(name):
        if family not in STREAM_FORMATS:
            raise OptionError(f"Cannot send to {name}. Supported protocols: {', '.join(STREAM_FORMATS)}.")
        return lambda frame, rate: NetworkStream(name, STREAM_FORMATS[family], frame, rate)
    parts = recording_parts(_recording_file(name, overwrite=options.overwrite))
    return lambda frame, rate: Recording(next(parts), frame, rate, options.encoding)


def _recording_file(name: str, *, overwrite: bool) -> Path:
    file = Path(name)
    if file.suffix.lower() not in SUFFIXES:
        raise OptionError(f"Unknown sink '{name}'. Supported: preview, camera[:DEVICE], null, '-', {', '.join(SUFFIXES)}, a URL.")
    if file.is_dir():
        raise OptionError(f"{file} is a folder. Give the name of a file in it.")
    if file.exists() and not overwrite:
        raise OptionError(f"{file} exists. Give --overwrite to replace it.")
    return file


class NullSink:
    """Discards all frames."""

    continuous = False
    capacity = 1
    reopenable = False

    def write(self, frame: av.VideoFrame) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class StdoutSink:
    """Writes raw frames to stdout, all of the size and pixel format of the first one."""

    continuous = False
    capacity = 1
    reopenable = False

    def __init__(self, frame: av.VideoFrame) -> None:
        self._size, self._format = (frame.width, frame.height), frame.format.name

    def write(self, frame: av.VideoFrame) -> None:
        """Write a frame; OutputError if the reader has closed the pipe."""
        try:
            write_raw(sys.stdout.buffer, frame.reformat(*self._size, self._format))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            discard_stdout()
            raise OutputError("The reader of the raw frames has closed the pipe.") from None

    def close(self) -> None:
        """Leave stdout open."""
