"""The streams beside the video: copied packet by packet, or converted where the container does not take their codec."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import av

TEXT_FILTERS = {("mov_text", "subrip"): "mov2textsub", ("subrip", "mov_text"): "text2movsub", ("srt", "mov_text"): "text2movsub"}
"""Bit stream filters between text subtitles."""

# Statistics of the source's packets, and what the muxer writes itself.
STALE_METADATA = {"encoder", "duration", "number_of_frames", "number_of_bytes", "bps", "vendor_id"}


class OtherStream(Protocol):
    """A stream of the output that is made from the packets of one stream of the source."""

    def packets(self, packet: av.Packet[av.stream.Stream] | None) -> Iterator[av.Packet[av.stream.Stream]]:
        """Return the packets to write for one of the source; for None, those that remain at the end."""


class CopiedStream:
    """Copies packets, less `offset` seconds; a bit stream filter rewrites their format where the container needs that."""

    def __init__(
        self, source: av.stream.Stream, target: av.stream.Stream, offset: Fraction, bit_stream_filter: str | None = None
    ) -> None:
        from av.bitstream import BitStreamFilterContext

        self._target, self._offset = target, offset
        self._filter = BitStreamFilterContext(bit_stream_filter, source) if bit_stream_filter else None

    def packets(self, packet: av.Packet[av.stream.Stream] | None) -> Iterator[av.Packet[av.stream.Stream]]:
        if self._filter is None:
            if packet is not None:
                yield self._addressed(packet)
        elif packet is not None:
            for filtered in self._filter.filter(packet):
                yield self._addressed(filtered)

    def _addressed(self, packet: av.Packet[av.stream.Stream]) -> av.Packet[av.stream.Stream]:
        shift = round(self._offset / packet.time_base) if self._offset else 0
        if shift:
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = self._target
        return packet


class ConvertedAudio:
    """Decodes audio and encodes it again, for a container that does not take its codec."""

    def __init__(self, source: av.audio.stream.AudioStream, target: av.audio.stream.AudioStream, offset: Fraction) -> None:
        from av import AudioResampler

        self._source, self._target, self._offset = source, target, offset
        context = target.codec_context
        context.open()
        # 0 where the encoder takes any number of samples
        self._resampler = AudioResampler(context.format, context.layout, context.rate, context.frame_size or None)

    def packets(self, packet: av.Packet[av.stream.Stream] | None) -> Iterator[av.Packet[av.stream.Stream]]:
        import av

        try:
            frames = self._source.codec_context.decode(packet)
        except av.FFmpegError:
            return
        for frame in frames:
            if self._offset and frame.pts is not None and frame.time_base:
                frame.pts -= round(self._offset / frame.time_base)
            yield from self._encode(frame)
        if packet is None:
            yield from self._encode(None)
            yield from self._target.encode(None)

    def _encode(self, frame: av.AudioFrame | None) -> Iterator[av.Packet[av.stream.Stream]]:
        for resampled in self._resampler.resample(frame):
            yield from self._target.encode(resampled)


def add_other_stream(
    container: av.container.OutputContainer, source: av.stream.Stream, offset: Fraction, warnings: list[str]
) -> OtherStream | None:
    """Add the counterpart of a stream of the source to the output.

    Args:
        container: The output.
        source: The stream of the source.
        offset: Seconds to subtract from its time stamps.
        warnings: Gets a line where the stream is converted or left out.

    Returns:
        The stream to write its packets with; None where it is left out, and for attachments, which are complete at once.
    """
    import av

    name = f"{source.type} stream {source.index}"
    if source.type == "attachment":
        if "attachment" in _kinds(container):
            container.add_attachment(source.name or f"attachment{source.index}", source.mimetype or "", source.data)  # type: ignore[attr-defined]
        else:
            warnings.append(f"{name} was left out: a {container.format.name} file holds no attachments")
        return None
    try:
        return _add(container, source, offset, warnings)
    except (av.FFmpegError, ValueError, TypeError, NotImplementedError):
        if source.type != "data" or not source.container.chapters():
            # MP4 keeps its chapters in a data stream, too; the muxer makes it anew.
            warnings.append(f"{name} ({_codec(source)}) was left out: a {container.format.name} file does not take it")
        return None


def _codec(source: av.stream.Stream) -> str:
    return source.codec_context.codec.canonical_name if source.codec_context else "unknown"


def _accepts(kind: str, source: av.stream.Stream) -> bool:
    """Return whether a container of this kind takes packets of `source` unchanged, tried on a file in memory."""
    import av

    if kind == "mpegts" and source.type in ("subtitle", "data") and not _codec(source).startswith(("dvb", "hdmv", "pgs")):
        # the muxer takes any of these, as private data that no player reads
        return False
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(source)
            trial.start_encoding()
    except (av.FFmpegError, ValueError, TypeError):
        return False
    return True


def _kinds(container: av.container.OutputContainer) -> set[str]:
    return {"attachment"} if container.format.name in ("matroska", "webm") else set()


def _add(container: av.container.OutputContainer, source: av.stream.Stream, offset: Fraction, warnings: list[str]) -> OtherStream:
    import av

    if _accepts(container.format.name, source):
        target = container.add_stream_from_template(source)
        copy_description(source, target)
        return CopiedStream(source, target, offset)
    if isinstance(source, av.AudioStream):
        audio = _audio_counterpart(container, source)
        copy_description(source, audio)
        warnings.append(f"audio stream {source.index} was converted from {_codec(source)} to {audio.codec_context.name}")
        return ConvertedAudio(source, audio, offset)
    for wanted in ("mov_text", "subrip"):
        rewriting = TEXT_FILTERS.get((_codec(source), wanted))
        if rewriting and wanted in container.supported_codecs:
            text = container.add_mux_stream(wanted)
            text.time_base = source.time_base
            copy_description(source, text)
            warnings.append(f"subtitle stream {source.index} was converted from {_codec(source)} to {wanted}")
            return CopiedStream(source, text, offset, rewriting)
    raise ValueError("The stream can be neither copied nor converted.")


def _audio_counterpart(container: av.container.OutputContainer, source: av.AudioStream) -> av.AudioStream:
    import av

    name = {"opus": "libopus", "vorbis": "libvorbis"}.get(container.default_audio_codec, container.default_audio_codec)
    codec = av.codec.Codec(name if name in av.codecs_available else container.default_audio_codec, "w")
    rates = codec.audio_rates or [source.rate]
    rate = source.rate if source.rate in rates else min(rates, key=lambda r: (r < source.rate, abs(r - source.rate)))
    target = container.add_stream(codec.name, rate=rate)
    assert isinstance(target, av.AudioStream)
    target.codec_context.layout = source.layout
    if codec.audio_formats:
        target.codec_context.format = codec.audio_formats[0]
    target.bit_rate = 96_000 * min(2, source.channels) if source.channels < 3 else 64_000 * source.channels
    return target


def copy_description(source: av.stream.Stream, target: av.stream.Stream) -> None:
    """Copy language, title and other tags, and the disposition (default, forced ...)."""
    kept = {k: v for k, v in source.metadata.items() if k.lower() not in STALE_METADATA and not k.startswith("_STATISTICS")}
    target.metadata.update(kept)
    target.disposition = source.disposition
