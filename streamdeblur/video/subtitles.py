"""Text subtitles, converted to a format that the container takes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.video.log import words
from streamdeblur.video.trial import StreamRefusedError

if TYPE_CHECKING:
    import av

    from streamdeblur.video.trial import Packet

ENCODERS = ("mov_text", "subrip", "webvtt", "ass")
"""FFmpeg's encoders of text subtitles, the preferred ones first."""

SIMPLEST_HEADER = b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name\r\nStyle: Default\r\n"
"""What the encoders are told of the styles where the decoder knows none."""


def open_decoder(source: av.subtitles.stream.SubtitleStream) -> None:
    """Open the decoder of text subtitles.

    Raises:
        StreamRefusedError: The stream holds pictures, or cannot be decoded.
    """
    import av

    if source.codec_context is None or not source.codec_context.codec.text_sub:
        raise StreamRefusedError("it holds no text that could be converted")
    try:
        source.codec_context.open(strict=False)
    except (av.FFmpegError, ValueError) as error:
        raise StreamRefusedError(f"it cannot be decoded: {words(error)}") from None


class ConvertedText:
    """Decodes text subtitles and encodes them in another format."""

    def __init__(self, source: av.subtitles.stream.SubtitleStream, target: av.subtitles.stream.SubtitleStream) -> None:
        self._decoder, self._encoder = source.codec_context, target.codec_context

    def packets(self, packet: Packet | None) -> Iterator[Packet]:
        """Return the packet for one of the source; none for one without text, and none at the end."""
        shown = self._decoder.decode2(packet) if packet is not None else None
        if packet is None or shown is None or not len(shown):
            return
        # the time of the packet is that of the text; text encoders accept no other
        shown.start_display_time = 0
        written: Packet = self._encoder.encode_subtitle(shown)
        written.pts = written.dts = packet.pts
        written.duration, written.time_base = packet.duration, packet.time_base
        if written.size:
            yield written


def add_text(
    container: av.container.OutputContainer, source: av.subtitles.stream.SubtitleStream, encoder: str
) -> av.subtitles.stream.SubtitleStream:
    """Add a subtitle stream of this encoder with the styles of the source, whose decoder is open."""
    from av.subtitles.stream import SubtitleStream

    stream: SubtitleStream = container.add_stream(encoder)  # type: ignore[assignment]  # of a subtitle encoder
    stream.codec_context.subtitle_header = source.codec_context.subtitle_header or SIMPLEST_HEADER
    if source.time_base:
        stream.time_base = source.time_base
    return stream


def sample_text(stream: av.stream.Stream) -> Iterator[Packet]:
    """Encode a short text with the encoder of the stream."""
    from av.subtitles.stream import SubtitleStream
    from av.subtitles.subtitle import SubtitleSet

    assert isinstance(stream, SubtitleStream)
    packet: Packet = stream.codec_context.encode_subtitle(SubtitleSet.create(b"0,0,Default,,0,0,0,,Text", 0, 100))
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts, packet.dts, packet.duration = 0, 0, 100
    yield packet
