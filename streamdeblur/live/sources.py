"""Sources: the inputs of a live stream, and how they are opened by name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamdeblur.cores import plan_threads
from streamdeblur.errors import InputError, OptionError
from streamdeblur.live.cameras import camera_title, open_camera
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.pattern import PatternSource
from streamdeblur.video.description import StreamTags
from streamdeblur.video.raw import RawReader, open_stdin
from streamdeblur.video.source import is_url, open_source, shown_source, without_protocol
from streamdeblur.video.stdin import STDIN

if TYPE_CHECKING:
    import av

PATTERN = "pattern"
TIMEOUT_SECONDS = 5.0
"""Time without data after which a network stream is considered lost."""
DEFAULT_RATE = Fraction(30)
"""Frames per second of a source that does not state its rate."""
MOST_DAMAGED = 100
"""Number of successive packets that cannot be decoded after which a stream without an end is considered lost."""
RECEIVE_ELSEWHERE = (
    "Receive it with a program that supports it:\n"
    "  ffmpeg -i '{}' -f rawvideo -pix_fmt yuv420p - | streamdeblur live --source - --size 1280x720"
)


class LiveSource(Protocol):
    """An open input."""

    name: str
    """Name for messages."""
    rate: Fraction
    """Frames per second, as far as the source states it."""
    realtime: bool
    """Whether frames arrive at their own times, so that those not taken in time are stale."""
    finite: bool
    """Whether the source ends by itself; otherwise its end is a failure, and it is opened again."""
    repeated: bool
    """Whether one that ends by itself begins anew at its end; so it does where it was lost."""
    tags: StreamTags | None
    """What the source says about its video, and the frames do not."""

    @property
    def damaged(self) -> bool:
        """Whether parts of a source that ends by itself were left out, because they cannot be decoded."""

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield the frames as they arrive.

        Raises:
            InputError: The source is lost.
        """

    def close(self) -> None:
        """Free the device."""


def open_live_source(options: LiveOptions) -> LiveSource:
    """Open the source that the options name; by default, the first camera.

    Raises:
        InputError: It cannot be opened.
        OptionError: Options contradict one another, or one is missing.
    """
    threads = plan_threads("live", options.restoration.cores).decoder
    if options.source is None:
        return ContainerSource(camera_title(options.camera), open_camera(options), threads)
    if options.camera is not None:
        raise OptionError("Give a camera or a source, not both.")
    if options.source == PATTERN:
        return PatternSource(options)
    if options.source == STDIN:
        return RawSource(options)
    if is_url(options.source):
        return ContainerSource(shown_source(options.source), _open_stream(options.source), threads)
    file = Path(options.source)
    if file.is_dir():
        raise InputError(f"{file} is a folder. Give a video file.")
    if options.realtime or options.loop:
        return FileSource(file, threads, realtime=options.realtime, loop=options.loop)
    return ContainerSource(file.name, open_source(file), threads, realtime=False, finite=True)


def _open_stream(url: str) -> av.container.InputContainer:
    import av

    try:
        # The user gave the URL. FFmpeg buffers nothing that could be shown already.
        return av.open(url, timeout=TIMEOUT_SECONDS, container_options={"fflags": "nobuffer", "rtsp_transport": "tcp"})
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, av.ProtocolNotFoundError):
            raise InputError(f"{without_protocol(url)} {RECEIVE_ELSEWHERE.format(shown_source(url))}") from None
        raise InputError(f"Cannot open {shown_source(url)}: {error.strerror or error}. Is the URL right?") from None


class ContainerSource:
    """The video stream of an open container: a camera, a network stream, or a file."""

    def __init__(
        self, name: str, container: av.container.InputContainer, threads: int, *, realtime: bool = True, finite: bool = False
    ) -> None:
        """Take the first video stream, decoded by this many threads; InputError if there is none."""
        if not container.streams.video:
            container.close()
            raise InputError(f"{name} has no video stream.")
        self.name, self.realtime, self.finite = name, realtime, finite
        self.damaged = self.repeated = False
        self._container = container
        self._undecodable = 0
        self._stream = container.streams.video[0]
        # Frame threading would hold back as many frames as there are threads.
        self._stream.thread_type, self._stream.codec_context.thread_count = "SLICE", threads
        self.rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or DEFAULT_RATE)
        self.tags: StreamTags | None = StreamTags.of(self._stream)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield the frames as they arrive; InputError if the source is lost."""
        import av

        while True:
            try:
                yield from self._decoded()
                if self.finite:
                    return
                raise InputError(f"{self.name} ended.")
            except BlockingIOError:
                # Some devices report that they have no frame yet instead of waiting for it.
                time.sleep(0.001)
            except (av.FFmpegError, OSError) as error:
                raise InputError(f"{self.name} was lost: {error.strerror or error}.") from None

    def _decoded(self) -> Iterator[av.VideoFrame]:
        import av

        for packet in self._container.demux(self._stream):
            try:
                yield from packet.decode()
                self._undecodable = 0
            except av.InvalidDataError:
                if self.finite:
                    # what follows a hole is there already, and its end comes
                    self.damaged = True
                    continue
                self._undecodable += 1
                if self._undecodable == MOST_DAMAGED:
                    raise InputError(f"{self.name}: {MOST_DAMAGED} successive packets cannot be decoded.") from None

    def close(self) -> None:
        """Close the container."""
        self._container.close()


class FileSource:
    """A file that is played in real time, in a loop, or both."""

    finite = True

    def __init__(self, file: Path, threads: int, *, realtime: bool, loop: bool) -> None:
        """Open the file, decoded by this many threads; InputError if it cannot be opened or has no video stream."""
        self._file, self._threads, self.repeated = file, threads, loop
        self._opened = self._open()
        self.name, self.rate, self.realtime, self.tags = file.name, self._opened.rate, realtime, self._opened.tags

    @property
    def damaged(self) -> bool:
        """Whether parts of the file were left out, because they cannot be decoded."""
        return self._opened.damaged

    def _open(self) -> ContainerSource:
        return ContainerSource(self._file.name, open_source(self._file), self._threads, finite=True)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield the frames of the file, each at its time if it is played in real time."""
        while True:
            number = 0
            for frame in in_real_time(self._opened.frames()) if self.realtime else self._opened.frames():
                number += 1
                yield frame
            if not self.repeated or not number:
                return
            self._opened.close()
            self._opened = self._open()

    def close(self) -> None:
        """Close the file."""
        self._opened.close()


def in_real_time(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield frames at the intervals of their time stamps; late ones follow immediately.

    The clock starts when the second frame is requested, because the consumer may need time to prepare for such frames.
    """
    started: float | None = None
    for frame in frames:
        stamp = frame.time
        if started is not None and stamp is not None:
            time.sleep(max(0.0, started + stamp - time.monotonic()))
        yield frame
        if started is None and stamp is not None:
            started = time.monotonic() - stamp


class RawSource:
    """Raw frames on stdin."""

    name = "raw frames on stdin"
    realtime = True
    finite = True
    damaged = repeated = False
    tags: StreamTags | None = None

    def __init__(self, options: LiveOptions) -> None:
        """Prepare to read; OptionError if the frame size is missing or the pixel format is not supported."""
        if options.size is None:
            raise OptionError("Raw frames need their size: --size WIDTHxHEIGHT.")
        self._reader = RawReader(open_stdin(), *options.size, options.format or "yuv420p")
        self.rate = Fraction(options.fps or DEFAULT_RATE).limit_denominator(1001)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield the frames as they arrive; InputError if stdin ends within a frame."""
        while (frame := self._reader.read()) is not None:
            yield frame

    def close(self) -> None:
        """Leave stdin open."""
