"""Sinks: where the frames of a live stream go."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from streamdeblur.errors import OptionError, OutputError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.timing import TICKS
from streamdeblur.video.encoders import SUFFIXES, choose_encoder, choose_pixel_format, configure
from streamdeblur.video.raw import discard_stdout, write_raw
from streamdeblur.video.source import is_url, without_protocol
from streamdeblur.video.writer import temporary_beside

if TYPE_CHECKING:
    import av

PREVIEW = "preview"
STREAM_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
STREAM_ENCODER = {"preset": "ultrafast", "tune": "zerolatency"}
STREAM_BITRATE = 6_000_000
KEYFRAME_SECONDS = 2

VIRTUAL_CAMERA_HELP = {
    "Linux": (
        "Create one with:\n  sudo modprobe v4l2loopback devices=1 video_nr=10 card_label=streamdeblur exclusive_caps=1\n"
        "(Debian and Ubuntu: sudo apt install v4l2loopback-dkms first)"
    ),
    "Darwin": "Install OBS (https://obsproject.com), and start and stop its virtual camera once: it then stays.",
    "Windows": "Install OBS (https://obsproject.com): its virtual camera comes with it.",
}


class Sink(Protocol):
    """An open sink."""

    steady: bool
    """Whoever watches expects a picture at all times: while the source is lost, it is told so."""
    capacity: int
    """Frames that may wait for it; what is more is dropped."""
    lasting: bool
    """What was lost can be opened again."""

    def write(self, frame: av.VideoFrame) -> None:
        """Take a frame, which must not be changed; its time stamp is that of its capture.

        Raises:
            OutputError: the sink is gone.
        """

    def close(self) -> None:
        """Finish what was written."""


SinkOpener = Callable[["av.VideoFrame", Fraction], Sink]
"""Opens a sink for frames like this one, at this rate."""


def sink_opener(name: str, options: LiveOptions) -> SinkOpener:
    """What opens the sink of this name (see `LiveOptions.to`).

    Raises:
        OptionError: there is no such sink, or a file (or folder) is there already.
    """
    family, _, argument = name.partition(":")
    if name == "null":
        return lambda frame, rate: _Null()
    if name == "-":
        return lambda frame, rate: _Stdout(frame)
    if family == "camera":
        return lambda frame, rate: _VirtualCamera(frame, rate, argument or None)
    if is_url(name):
        if family not in STREAM_FORMATS:
            raise OptionError(f"Cannot send to {name}. Known: {', '.join(STREAM_FORMATS)}.")
        return lambda frame, rate: _Stream(name, STREAM_FORMATS[family], frame, rate)
    file = Path(name)
    if file.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"Unknown sink '{name}'. Known: preview, camera[:DEVICE], null, '-', {', '.join(SUFFIXES)}, an address."
        )
    if file.is_dir():
        raise OptionError(f"{file} is a folder. Name a file in it.")
    if file.exists() and not options.overwrite:
        raise OptionError(f"{file} exists. Give --overwrite to replace it.")
    parts = _parts(file)
    return lambda frame, rate: _Recording(next(parts), frame, rate, options)


def _parts(file: Path) -> Iterator[Path]:
    """Where a recording goes, and where it goes on when it broke off: beside what there is."""
    yield file
    for number in count(2):
        part = file.with_name(f"{file.stem}-{number}{file.suffix}")
        if not part.exists():
            yield part


class _Null:
    steady = False
    capacity = 1
    lasting = False

    def write(self, frame: av.VideoFrame) -> None:
        pass

    def close(self) -> None:
        pass


class _Stdout:
    """Raw frames on stdout, all of the size and pixel format of the first one."""

    steady = False
    capacity = 1
    lasting = False

    def __init__(self, frame: av.VideoFrame) -> None:
        self._size, self._format = (frame.width, frame.height), frame.format.name

    def write(self, frame: av.VideoFrame) -> None:
        try:
            write_raw(sys.stdout.buffer, frame.reformat(*self._size, self._format))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            discard_stdout()
            raise OutputError("Nobody reads the raw frames any more.") from None

    def close(self) -> None:
        pass


class _VirtualCamera:
    """A camera that other programs see."""

    steady = True
    capacity = 1
    lasting = True

    def __init__(self, frame: av.VideoFrame, rate: Fraction, device: str | None) -> None:
        try:
            import pyvirtualcam
        except ImportError:
            raise OutputError("A virtual camera needs pyvirtualcam. Install it with: pip install 'streamdeblur[live]'") from None
        self._size = frame.width - frame.width % 2, frame.height - frame.height % 2
        try:
            self._camera: Any = pyvirtualcam.Camera(*self._size, float(rate), fmt=pyvirtualcam.PixelFormat.I420, device=device)
        except RuntimeError as error:
            help_ = VIRTUAL_CAMERA_HELP.get(platform.system(), "")
            raise OutputError(
                f"There is no virtual camera{f' {device}' if device else ''}. {help_}\nWhat was tried: {error}"
            ) from None

    def write(self, frame: av.VideoFrame) -> None:
        width, height = self._size
        planar = frame.reformat(width=width, height=height, format="yuv420p")
        try:
            self._camera.send(planar.to_ndarray())
        except (RuntimeError, OSError) as error:
            raise OutputError(f"The virtual camera is gone: {error}.") from None

    def close(self) -> None:
        self._camera.close()


class _Encoded:
    """Frames of one size, encoded into a container."""

    def __init__(self, container: av.container.OutputContainer, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.frames = 0

    def encode(self, frame: av.VideoFrame) -> None:
        """Encode a frame at its time; frames of another size are scaled to the first one's."""
        target = self._stream.codec_context
        converted = frame.reformat(width=target.width, height=target.height, format=target.pix_fmt)
        self._container.mux(self._stream.encode(converted))
        self.frames += 1

    def finish(self) -> None:
        """Write what the encoder holds back."""
        try:
            if self.frames:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


class _Recording:
    """A file with the time stamps of the capture; under its name when it is complete."""

    steady = False
    capacity = 60
    lasting = True

    def __init__(self, file: Path, frame: av.VideoFrame, rate: Fraction, options: LiveOptions) -> None:
        import av

        self._file, self._unfinished = file, temporary_beside(file)
        try:
            with ExitStack() as opened:
                container = opened.enter_context(av.open(f"file:{self._unfinished}", "w"))
                self._encoded = _Encoded(container, _recorded_stream(container, frame, rate, options))
                opened.pop_all()
        except BaseException:
            self._unfinished.unlink(missing_ok=True)
            raise

    def write(self, frame: av.VideoFrame) -> None:
        import av

        try:
            self._encoded.encode(frame)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"Cannot write {self._file}: {error.strerror or error}.") from None

    def close(self) -> None:
        import av

        try:
            self._encoded.finish()
            if self._encoded.frames:
                self._unfinished.replace(self._file)
            else:
                self._unfinished.unlink(missing_ok=True)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"Cannot finish {self._file}: {error}.{self._rest()}") from None

    def _rest(self) -> str:
        """Where a recording lies that cannot be finished; an empty one is removed."""
        with suppress(OSError):
            if self._unfinished.stat().st_size:
                return f" What there is lies in {self._unfinished}."
            self._unfinished.unlink()
        return ""


def _recorded_stream(container: av.container.OutputContainer, frame: av.VideoFrame, rate: Fraction, options: LiveOptions) -> Any:
    """The video stream of a recording, for frames like this one."""
    codec = choose_encoder(options.encoding.codec, "h264", container)
    stream: Any = container.add_stream(codec.name, rate=rate)
    context = stream.codec_context
    context.width, context.height = frame.width - frame.width % 2, frame.height - frame.height % 2
    context.pix_fmt = choose_pixel_format(frame.format.name, codec)
    context.time_base = Fraction(1, TICKS)
    context.colorspace, context.color_range = frame.colorspace, frame.color_range
    encoding = options.encoding
    configure(context, codec.name, encoding.quality, encoding.preset or ("ultrafast" if codec.name == "libx264" else None))
    return stream


class _Stream:
    """A network stream: H.264 without frames held back."""

    steady = True
    capacity = 1
    lasting = True

    def __init__(self, address: str, kind: str, frame: av.VideoFrame, rate: Fraction) -> None:
        import av

        self._address = address
        try:
            container = av.open(address, "w", format=kind, timeout=5.0)
            stream: Any = container.add_stream("libx264", rate=rate)
            context = stream.codec_context
            context.width, context.height = frame.width - frame.width % 2, frame.height - frame.height % 2
            context.pix_fmt, context.bit_rate = "yuv420p", STREAM_BITRATE
            context.gop_size = round(KEYFRAME_SECONDS * rate)
            context.time_base = Fraction(1, TICKS)
            context.options = STREAM_ENCODER
            self._encoded = _Encoded(container, stream)
            container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, av.ProtocolNotFoundError):
                raise OutputError(without_protocol(address)) from None
            raise OutputError(f"Cannot send to {address}: {error.strerror or error}.") from None

    def write(self, frame: av.VideoFrame) -> None:
        import av

        try:
            self._encoded.encode(frame)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{self._address} is gone: {error.strerror or error}.") from None

    def close(self) -> None:
        import av

        # (where the other side is gone, nothing can be finished)
        with suppress(av.FFmpegError, OSError):
            self._encoded.finish()
