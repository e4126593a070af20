"""Sources: where the frames of a live stream come from, each at its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamdeblur.errors import InputError, OptionError
from streamdeblur.live.cameras import open_camera
from streamdeblur.live.options import LiveOptions
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.raw import RawReader, open_stdin
from streamdeblur.video.source import is_url, open_source, without_protocol

if TYPE_CHECKING:
    import av

PATTERN = "pattern"
STDIN = "-"
PATTERN_SIZE, PATTERN_FPS, PATTERN_FRAMES = (1280, 720), 30, 40
NETWORK_TIMEOUT = 5.0
"""Seconds without data after which a network stream counts as lost."""
DEFAULT_RATE = Fraction(30)
RECEIVE_ELSEWHERE = (
    "Receive it with a program that has it:\n"
    "  ffmpeg -i '{}' -f rawvideo -pix_fmt yuv420p - | streamdeblur live --source - --size 1280x720"
)
DAMAGED_IN_A_ROW = 100
"""Packets that cannot be decoded after which a stream counts as lost."""


class Source(Protocol):
    """An open source."""

    name: str
    """For people."""
    rate: Fraction
    """Frames per second, as far as it says."""
    paced: bool
    """Its frames come at their own time: what is not taken by then is stale."""
    ends: bool
    """Its end is no fault, and nothing comes after it."""

    def frames(self) -> Iterator[av.VideoFrame]:
        """Frames, each when it is there.

        Raises:
            InputError: the source was lost.
        """

    def close(self) -> None:
        """Free the device."""


def open_live_source(options: LiveOptions) -> Source:
    """Open what the options name: a camera by default.

    Raises:
        InputError: it cannot be opened.
        OptionError: the options do not fit together.
    """
    if options.source is None:
        return _Decoded(f"camera {options.camera or 0}", open_camera(options))
    if options.camera is not None:
        raise OptionError("Give a camera or a source, not both.")
    if options.source == PATTERN:
        return _Pattern(options)
    if options.source == STDIN:
        return _Raw(options)
    if is_url(options.source):
        return _Decoded(options.source, _open_stream(options.source))
    file = Path(options.source)
    return (
        _File(file, options)
        if options.realtime or options.loop
        else _Decoded(file.name, open_source(file), paced=False, ends=True)
    )


def _open_stream(address: str) -> av.container.InputContainer:
    import av

    try:
        # the user gave the address; nothing is buffered that could be shown
        return av.open(address, timeout=NETWORK_TIMEOUT, container_options={"fflags": "nobuffer", "rtsp_transport": "tcp"})
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, av.ProtocolNotFoundError):
            raise InputError(f"{without_protocol(address)} {RECEIVE_ELSEWHERE.format(address)}") from None
        raise InputError(f"Cannot open {address}: {error.strerror or error}. Is the address right?") from None


class _Decoded:
    """A container whose frames come when they come: a camera, a network stream, a file."""

    def __init__(self, name: str, container: av.container.InputContainer, *, paced: bool = True, ends: bool = False) -> None:
        if not container.streams.video:
            container.close()
            raise InputError(f"{name} has no video stream.")
        self.name, self.paced, self.ends = name, paced, ends
        self._container = container
        self._stream = container.streams.video[0]
        # frame threading would hold back as many frames as there are threads
        self._stream.thread_type = "SLICE"
        self.rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or DEFAULT_RATE)

    def frames(self) -> Iterator[av.VideoFrame]:
        import av

        damaged = 0
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    try:
                        yield from packet.decode()
                        damaged = 0
                    except av.InvalidDataError:
                        damaged += 1
                        if damaged == DAMAGED_IN_A_ROW:
                            raise InputError(f"{self.name} sends nothing that can be decoded.") from None
                if self.ends:
                    return
                raise InputError(f"{self.name} ended.")
            except BlockingIOError:
                # (some devices have no frame yet, and say so instead of waiting)
                time.sleep(0.001)
            except (av.FFmpegError, OSError) as error:
                raise InputError(f"{self.name} was lost: {error.strerror or error}.") from None

    def close(self) -> None:
        self._container.close()


class _File:
    """A file played at its own speed, over and over where that is wanted."""

    paced = True
    ends = True

    def __init__(self, file: Path, options: LiveOptions) -> None:
        self._file, self._loop = file, options.loop
        self._opened = _Decoded(file.name, open_source(file), ends=True)
        self.name, self.rate, self.paced = file.name, self._opened.rate, options.realtime

    def frames(self) -> Iterator[av.VideoFrame]:
        while True:
            yield from at_their_time(self._opened.frames()) if self.paced else self._opened.frames()
            if not self._loop:
                return
            self._opened.close()
            self._opened = _Decoded(self._file.name, open_source(self._file), ends=True)

    def close(self) -> None:
        self._opened.close()


def at_their_time(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Frames at the distances of their time stamps; those that come too late, at once.

    The clock begins when the second frame is asked for: who takes the first one may have to make ready for such frames.
    """
    began: float | None = None
    for frame in frames:
        stamp = frame.time
        if began is not None and stamp is not None:
            time.sleep(max(0.0, began + stamp - time.monotonic()))
        yield frame
        if began is None and stamp is not None:
            began = time.monotonic() - stamp


class _Pattern:
    """Blurred faces that never end: the demonstration's clip, forwards and backwards."""

    name = "test pattern"
    paced = True
    ends = False

    def __init__(self, options: LiveOptions) -> None:
        from streamdeblur.demo.camera import HandheldCamera
        from streamdeblur.demo.run import group_photograph

        width, height = options.pixels or PATTERN_SIZE
        self.rate = Fraction(options.fps or PATTERN_FPS).limit_denominator(1001)
        camera = HandheldCamera(group_photograph(), width, height, round(self.rate), subframes=7)
        clip = [blurry for blurry, _ in camera.frames(PATTERN_FRAMES)]
        self._clip = [*clip, *clip[-2:0:-1]]
        self._format = options.format or "yuv420p"

    def frames(self) -> Iterator[av.VideoFrame]:
        import av

        try:
            clip = [av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=self._format) for picture in self._clip]
        except ValueError:
            raise OptionError(f"Unknown pixel format '{self._format}'.") from None
        number = 0
        began = time.monotonic()
        while True:
            time.sleep(max(0.0, began + number / self.rate - time.monotonic()))
            # (whoever takes it may edit it)
            yield copy_frame(clip[number % len(clip)])
            number += 1

    def close(self) -> None:
        pass


class _Raw:
    """Raw frames on stdin, as they come."""

    name = "raw frames on stdin"
    paced = True
    ends = True

    def __init__(self, options: LiveOptions) -> None:
        if options.pixels is None:
            raise OptionError("Raw frames need their size: --size WIDTHxHEIGHT.")
        self._reader = RawReader(open_stdin(), *options.pixels, options.format or "yuv420p")
        self.rate = Fraction(options.fps or DEFAULT_RATE).limit_denominator(1001)

    def frames(self) -> Iterator[av.VideoFrame]:
        while (frame := self._reader.read()) is not None:
            yield frame

    def close(self) -> None:
        pass
