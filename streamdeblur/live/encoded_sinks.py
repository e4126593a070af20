"""Sinks that encode: recordings and network streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.errors import OutputError
from streamdeblur.live.timing import TICKS
from streamdeblur.options import EncodingOptions
from streamdeblur.partial_file import PartialFile
from streamdeblur.video.encoders import choose_encoder, choose_pixel_format, configure
from streamdeblur.video.source import without_protocol

if TYPE_CHECKING:
    import av

STREAM_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
"""Container formats of network streams by protocol."""
STREAM_ENCODER = {"preset": "ultrafast", "tune": "zerolatency"}
STREAM_BITRATE = 6_000_000
KEYFRAME_SECONDS = 2
TIMEOUT_SECONDS = 5.0


def recording_parts(file: Path) -> Iterator[Path]:
    """Yield file names of a recording: `file`, then after each interruption the next free one of ``NAME-2``, ``NAME-3``, ..."""
    yield file
    for number in count(2):
        part = file.with_name(f"{file.stem}-{number}{file.suffix}")
        if not part.exists():
            yield part


class _EncodedVideo:
    """An encoder and its container; frames of another size are scaled to that of the first one."""

    def __init__(self, container: av.container.OutputContainer, stream: av.VideoStream) -> None:
        self._container, self._stream = container, stream
        self.frames = 0

    def encode(self, frame: av.VideoFrame) -> None:
        """Encode a frame with its own time stamp."""
        target = self._stream.codec_context
        converted = frame.reformat(width=target.width, height=target.height, format=target.pix_fmt)
        self._container.mux(self._stream.encode(converted))
        self.frames += 1

    def finish(self) -> None:
        """Write the frames that the encoder holds back, and close the container."""
        try:
            if self.frames:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


class Recording:
    """A video file with the time stamps of the capture; it gets its name when it is complete."""

    continuous = False
    capacity = 60
    reopenable = True

    def __init__(self, file: Path, frame: av.VideoFrame, rate: Fraction, encoding: EncodingOptions) -> None:
        """Open a temporary file beside `file`, for frames like this one.

        Raises:
            OutputError: The folder does not exist or cannot be written.
            OptionError: There is no such encoder.
        """
        import av

        self._file, self._unfinished = file, PartialFile(file, exclusive=True)
        with ExitStack() as cleanup:
            cleanup.callback(self._unfinished.discard)
            container = cleanup.enter_context(av.open(f"file:{self._unfinished.path}", "w"))
            self._video = _EncodedVideo(container, _recorded_stream(container, frame, rate, encoding))
            cleanup.pop_all()

    def write(self, frame: av.VideoFrame) -> None:
        """Encode a frame; OutputError if it cannot be written."""
        import av

        try:
            self._video.encode(frame)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"Cannot write {self._file}: {error.strerror or error}.") from None

    def close(self) -> None:
        """Complete the file and give it its name; OutputError if that fails. A recording without frames is removed."""
        import av

        try:
            self._video.finish()
            if self._video.frames:
                self._unfinished.complete()
            else:
                self._unfinished.discard()
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"Cannot finish {self._file}: {error}.{self._remains()}") from None

    def _remains(self) -> str:
        """Where the content of a recording is that cannot be completed; an empty file is removed."""
        with suppress(OSError):
            if self._unfinished.path.stat().st_size:
                return f" Its content so far is in {self._unfinished.path}."
            self._unfinished.discard()
        return ""


def _recorded_stream(
    container: av.container.OutputContainer, frame: av.VideoFrame, rate: Fraction, encoding: EncodingOptions
) -> av.VideoStream:
    codec = choose_encoder(encoding.codec, "h264", container)
    stream: av.VideoStream = container.add_stream(codec.name, rate=rate)  # type: ignore[assignment]
    context = stream.codec_context
    context.width, context.height = frame.width - frame.width % 2, frame.height - frame.height % 2
    context.pix_fmt = choose_pixel_format(frame.format.name, codec)
    context.time_base = Fraction(1, TICKS)
    context.colorspace, context.color_range = frame.colorspace, frame.color_range
    configure(context, codec.name, encoding.quality, encoding.preset or ("ultrafast" if codec.name == "libx264" else None))
    return stream


class NetworkStream:
    """A network stream in H.264, encoded for low latency."""

    continuous = True
    capacity = 1
    reopenable = True

    def __init__(self, url: str, container_format: str, frame: av.VideoFrame, rate: Fraction) -> None:
        """Connect, for frames like this one.

        Raises:
            OutputError: The URL cannot be opened.
        """
        import av

        self._url = url
        try:
            container = av.open(url, "w", format=container_format, timeout=TIMEOUT_SECONDS)
            self._video = _EncodedVideo(container, _sent_stream(container, frame, rate))
            container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, av.ProtocolNotFoundError):
                raise OutputError(without_protocol(url)) from None
            raise OutputError(f"Cannot send to {url}: {error.strerror or error}.") from None

    def write(self, frame: av.VideoFrame) -> None:
        """Send a frame; OutputError if the connection is lost."""
        import av

        try:
            self._video.encode(frame)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{self._url} was lost: {error.strerror or error}.") from None

    def close(self) -> None:
        """End the stream."""
        import av

        # After the connection was lost, the end of the stream cannot be sent.
        with suppress(av.FFmpegError, OSError):
            self._video.finish()


def _sent_stream(container: av.container.OutputContainer, frame: av.VideoFrame, rate: Fraction) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=rate)
    context = stream.codec_context
    context.width, context.height = frame.width - frame.width % 2, frame.height - frame.height % 2
    context.pix_fmt, context.bit_rate = "yuv420p", STREAM_BITRATE
    context.gop_size = round(KEYFRAME_SECONDS * rate)
    context.time_base = Fraction(1, TICKS)
    context.options = STREAM_ENCODER
    return stream
