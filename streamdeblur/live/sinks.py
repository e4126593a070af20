"""Sinks: the outputs of a live stream, and how they are opened by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamdeblur.cores import plan_threads
from streamdeblur.errors import NoReaderError, OptionError, OutputError
from streamdeblur.files import refuse_existing, refuse_inputs
from streamdeblur.known_names import shown, suggestion
from streamdeblur.live.network_stream import STREAM_FORMATS, NetworkStream
from streamdeblur.live.options import PREVIEW, LiveOptions
from streamdeblur.live.recording import Recording
from streamdeblur.live.recording_file import RecordingFiles
from streamdeblur.live.virtual_camera import VirtualCamera
from streamdeblur.video.encoders import SUFFIXES
from streamdeblur.video.raw import FRAMES_OUT, Unbuffered, discard_stdout, write_raw
from streamdeblur.video.source import is_url, shown_source
from streamdeblur.video.stdin import STDOUT, redirected

if TYPE_CHECKING:
    import av

    from streamdeblur.video.description import StreamTags

STALLED_SECONDS = 5.0
"""Time after which a network or a pipe that takes nothing more is given up."""
SINKS = (PREVIEW, "camera[:DEVICE]", "null", STDOUT, *SUFFIXES, "a URL")


class Sink(Protocol):
    """An open output."""

    continuous: bool
    """Whether viewers expect frames at all times: while the source is lost, frames with a status message are written."""
    capacity: int
    """Number of frames that may wait for it; if there are more, the oldest is dropped."""
    reopenable: bool
    """Whether it can be opened again after a failure."""
    patience: float | None
    """Seconds after which a write that has not ended is given up; None where it may take its time, as on a disk that wakes up."""

    def write(self, frame: av.VideoFrame) -> None:
        """Write a frame, whose time stamp is that of its capture; the frame must not be changed.

        Raises:
            OutputError: The output is lost.
        """

    def abort(self) -> None:
        """Let a write that another thread waits for fail, where that is possible."""

    def close(self) -> None:
        """Complete the output.

        Raises:
            OutputError: It cannot be completed.
        """


SinkOpener = Callable[["av.VideoFrame", Fraction, "StreamTags | None"], Sink]
"""Opens a sink for frames like this one, at this rate, from a source with these tags."""


def sink_openers(options: LiveOptions) -> dict[str, SinkOpener]:
    """Return the function that opens it for each sink but the preview, by name.

    Raises:
        OptionError: There is no such sink, a folder of this name exists, or two recordings have one name.
        OutputError: A file of this name exists, or is the source.
    """
    names = [name for name in options.to if name != PREVIEW]
    openers = {name: sink_opener(name, options) for name in names}
    files = [os.path.realpath(name) for name in names if is_file(name)]
    for file in files:
        if files.count(file) > 1:
            raise OptionError(f"{file} is given twice. Give each recording a name of its own.")
    return openers


def is_file(name: str) -> bool:
    """Return whether a sink of this name is a recording."""
    return name not in ("null", STDOUT, PREVIEW) and name.partition(":")[0] != "camera" and not is_url(name)


def sink_opener(name: str, options: LiveOptions) -> SinkOpener:
    """Return the function that opens the sink of this name (see `LiveOptions.to`).

    Raises:
        OptionError: There is no such sink, or a folder of this name exists.
        OutputError: A file of this name exists, or is the source; or stdout is a terminal.
    """
    family, _, argument = name.partition(":")
    threads = plan_threads("live", options.restoration.cores).encoder
    if name == "null":
        return lambda frame, rate, tags: NullSink()
    if name == STDOUT:
        redirected(sys.stdout, FRAMES_OUT)
        return lambda frame, rate, tags: StdoutSink(frame)
    if family == "camera":
        return lambda frame, rate, tags: VirtualCamera(frame, rate, argument or None)
    if is_url(name):
        if family not in STREAM_FORMATS:
            raise OptionError(f"Cannot send to {shown_source(name)}. Supported protocols: {', '.join(STREAM_FORMATS)}.")
        return lambda frame, rate, tags: NetworkStream(name, STREAM_FORMATS[family], frame, rate, tags, threads)
    files = RecordingFiles(_recording_file(name, options), overwrite=options.overwrite)
    return lambda frame, rate, tags: Recording(files.open(), frame, rate, tags, options.encoding, threads)


def _recording_file(name: str, options: LiveOptions) -> Path:
    file = Path(name)
    if file.suffix.lower() not in SUFFIXES:
        raise OptionError(f"Unknown sink {shown(name)}. {suggestion(name, SINKS)}")
    if file.is_dir():
        raise OptionError(f"{file} is a folder. Give the name of a file in it.")
    if options.source:
        refuse_inputs(file, options.source)
    refuse_existing(file, overwrite=options.overwrite)
    return file


class NullSink:
    """Discards all frames."""

    continuous = False
    capacity = 1
    reopenable = False
    patience: float | None = None

    def write(self, frame: av.VideoFrame) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class StdoutSink:
    """Writes raw frames to stdout, all of the size and pixel format of the first one."""

    continuous = False
    capacity = 1
    reopenable = False
    patience: float | None = STALLED_SECONDS

    def __init__(self, frame: av.VideoFrame) -> None:
        self._size, self._format = (frame.width, frame.height), frame.format.name
        self._stdout = Unbuffered(sys.stdout.fileno())

    def write(self, frame: av.VideoFrame) -> None:
        """Write a frame; NoReaderError if the reader has closed the pipe, OutputError if it cannot be written."""
        try:
            write_raw(self._stdout, frame.reformat(*self._size, self._format))
        except BrokenPipeError:
            discard_stdout()
            raise NoReaderError("The reader of the raw frames has closed the pipe.") from None
        except OSError as error:
            discard_stdout()
            raise OutputError(f"Cannot write the raw frames to stdout: {error.strerror}.") from None

    def abort(self) -> None:
        """Do nothing: a write to a pipe ends when it is read, or closed at its other end."""

    def close(self) -> None:
        """Leave stdout open."""
