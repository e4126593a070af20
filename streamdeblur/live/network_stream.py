"""NetworkStream: a sink that sends a network stream."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import OutputError
from streamdeblur.live.encoded_video import even_size
from streamdeblur.live.sender import Sender
from streamdeblur.live.timing import TICKS
from streamdeblur.video.conversion import fitted
from streamdeblur.video.description import StreamTags, describe
from streamdeblur.video.encoders import set_threads
from streamdeblur.video.source import shown_source

if TYPE_CHECKING:
    import av

STREAM_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
"""Container formats of network streams by protocol."""
STREAM_ENCODER = {"preset": "ultrafast", "tune": "zerolatency"}
STREAM_BITRATE = 6_000_000
KEYFRAME_SECONDS = 2
TIMEOUT_SECONDS = 5.0
"""Time in which a host has to answer, to take a frame, and to take the end of the stream."""


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
            OutputError: The URL cannot be opened, or does not answer.
        """
        import av

        self._shown = shown_source(url)
        try:
            # never written: it tells the encoder what its packets are for
            unused = av.open(os.devnull, "w", format=container_format)
            self._stream = _sent_stream(unused, frame, rate, tags, threads)
            context = self._stream.codec_context
            context.open()
            self._sender = Sender(url, container_format, context, rate, TIMEOUT_SECONDS)
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"Cannot send to {self._shown}: {error.strerror or error}.") from None

    def write(self, frame: av.VideoFrame) -> None:
        """Send a frame; OutputError if the connection is lost."""
        import av

        context = self._stream.codec_context
        try:
            packets = self._stream.encode(fitted(frame, context.width, context.height, str(context.pix_fmt)))
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"Cannot encode for {self._shown}: {error.strerror or error}.") from None
        self._send(packets)

    def _send(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            self._sender.send(packet)

    def abort(self) -> None:
        """Let a write that another thread waits for fail."""
        self._sender.give_up()

    def close(self) -> None:
        """End the stream."""
        import av

        # after the connection was lost, the end of the stream cannot be sent
        with suppress(OutputError, av.FFmpegError):
            self._send(self._stream.encode(None))
        self._sender.close()


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
