"""NetworkStream: a sink that sends a network stream."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import OutputError
from streamdeblur.live.encoded_video import EncodedVideo, even_size
from streamdeblur.live.timing import TICKS
from streamdeblur.video.description import StreamTags, describe
from streamdeblur.video.encoders import set_threads
from streamdeblur.video.muxer import Muxer
from streamdeblur.video.source import shown_source, without_protocol

if TYPE_CHECKING:
    import av

STREAM_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
"""Container formats of network streams by protocol."""
STREAM_ENCODER = {"preset": "ultrafast", "tune": "zerolatency"}
STREAM_BITRATE = 6_000_000
KEYFRAME_SECONDS = 2
TIMEOUT_SECONDS = 5.0


class NetworkStream:
    """A network stream in H.264, encoded for low latency."""

    continuous = True
    capacity = 1
    reopenable = True
    patience: float | None = TIMEOUT_SECONDS

    def __init__(
        self, url: str, container_format: str, frame: av.VideoFrame, rate: Fraction, tags: StreamTags | None, threads: int
    ) -> None:
        """Connect, for frames like this one, with an encoder of this many threads.

        Raises:
            OutputError: The URL cannot be opened.
        """
        import av

        self._shown = shown_source(url)
        try:
            container = av.open(url, "w", format=container_format, timeout=TIMEOUT_SECONDS)
            self._video = EncodedVideo(Muxer(container), _sent_stream(container, frame, rate, tags, threads))
            self._video.start()
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, av.ProtocolNotFoundError):
                raise OutputError(without_protocol(url)) from None
            raise OutputError(f"Cannot send to {self._shown}: {error.strerror or error}.") from None

    def write(self, frame: av.VideoFrame) -> None:
        """Send a frame; OutputError if the connection is lost."""
        import av

        try:
            self._video.encode(frame)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{self._shown} was lost: {error.strerror or error}.") from None

    def abort(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """End the stream."""
        import av

        # After the connection was lost, the end of the stream cannot be sent.
        with suppress(av.FFmpegError, OSError):
            self._video.finish()
        self._video.abandon()


def _sent_stream(
    container: av.container.OutputContainer, frame: av.VideoFrame, rate: Fraction, tags: StreamTags | None, threads: int
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=rate)
    context = stream.codec_context
    context.width, context.height = even_size(frame)
    context.pix_fmt, context.bit_rate = "yuv420p", STREAM_BITRATE
    context.gop_size = round(KEYFRAME_SECONDS * rate)
    context.time_base = Fraction(1, TICKS)
    context.options = STREAM_ENCODER
    set_threads(context, threads)
    describe(stream, frame, tags)
    return stream
