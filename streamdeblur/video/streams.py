"""The streams beside the video: copied packet by packet, converted where the container does not take them, or left out.

Nothing that is wrong with one of them ends the job: it costs packets of that stream, and a warning names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Protocol

from streamdeblur.options import StreamOptions
from streamdeblur.video.audio import AudioDecoder, ConvertedAudio, choose_encoding, named_layout
from streamdeblur.video.clock import lost_seconds, time_offset
from streamdeblur.video.covers import attach_cover, is_cover
from streamdeblur.video.log import words
from streamdeblur.video.muxer import Muxer
from streamdeblur.video.packets import RisingStamps, copy_packet
from streamdeblur.video.subtitles import ENCODERS, ConvertedText, add_text, open_decoder, sample_text
from streamdeblur.video.trial import Rehearsal, StreamRefusedError, codec_name, try_stream

if TYPE_CHECKING:
    import av

    from streamdeblur.video.reader import Reader
    from streamdeblur.video.trial import Packet

# Statistics of the source's packets, and what the muxer writes itself.
STALE_METADATA = {"encoder", "duration", "number_of_frames", "number_of_bytes", "bps", "vendor_id"}

MPEG_AUDIO = {"mp1", "mp2", "mp3"}


class PacketMaker(Protocol):
    """Makes the packets of an output stream from those of a stream of the source."""

    def packets(self, packet: Packet | None) -> Iterator[Packet]:
        """Return the packets for one of the source, which stays as it is; for None, those that remain at the end."""


class CopiedPackets:
    """Copies packets unchanged."""

    def packets(self, packet: Packet | None) -> Iterator[Packet]:
        if packet is not None:
            yield copy_packet(packet)


class OtherStream:
    """A stream of the output beside the video. Packets that it cannot take are left out and counted."""

    def __init__(
        self,
        muxer: Muxer,
        source: av.stream.Stream,
        target: av.stream.Stream,
        maker: PacketMaker,
        *,
        offset: Fraction,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        """Join what a stream consists of.

        Args:
            muxer: Writes into the output.
            source: The stream of the source.
            target: Its counterpart in the output.
            maker: Makes the packets of one from those of the other.
            offset: Seconds to subtract from the time stamps.
            rehearsal: Takes each packet first; None for packets of an encoder that was tried.
        """
        self._muxer, self._source, self._target, self._maker = muxer, source, target, maker
        self._offset, self._rehearsal = offset, rehearsal
        self._stamps = RisingStamps(target)
        self._given = self._dropped = 0
        self._reason = ""

    def write(self, packet: Packet | None) -> None:
        """Write what becomes of a packet of the source; for None, what remains at the end.

        Raises:
            OSError: The file itself cannot be written.
        """
        import av

        self._given += packet is not None
        try:
            made = list(self._maker.packets(packet))
        except (av.FFmpegError, ValueError) as error:
            self._drop(packet, error)
            return
        for packet_made in made:
            try:
                self._write(packet_made)
            except OSError:
                raise
            except av.FFmpegError as error:
                self._drop(packet, error)

    def _write(self, packet: Packet) -> None:
        packet.stream = self._target
        # the header determines the time base of the stream
        self._muxer.start()
        self._stamps.apply(packet, self._offset)
        if self._rehearsal is not None:
            self._rehearsal.take(copy_packet(packet))
        self._muxer.offer(packet)

    def _drop(self, packet: Packet | None, error: Exception) -> None:
        self._dropped += packet is not None
        self._reason = self._reason or words(error)

    def close(self) -> list[str]:
        """End the rehearsal, and return warnings of what did not go well."""
        if self._rehearsal is not None:
            self._rehearsal.close()
        warnings = []
        if self._dropped:
            left_out = f"{self._dropped} of {self._given} packets were left out ({self._reason})"
            warnings.append(f"{label(self._source)}: {left_out}")
        elif self._reason:
            warnings.append(f"{label(self._source)} may lack its end ({self._reason})")
        if self._stamps.moved and self._source.type != "subtitle":
            warnings.append(f"{label(self._source)}: {self._stamps.moved} time stamps did not rise and were moved")
        return warnings


def label(source: av.stream.Stream) -> str:
    """Name a stream of the source for a message: ``audio stream 1 (opus, deu)``."""
    kind = "cover picture" if is_cover(source) else "attachment" if source.type == "attachment" else f"{source.type} stream"
    name = "time code" if source.type == "data" and "timecode" in source.metadata else codec_name(source)
    details = [source.metadata.get("filename", "") if source.type == "attachment" else name]
    details += [source.language] if source.language and source.language != "und" else []
    return f"{kind} {source.index} ({', '.join(filter(None, details)) or 'unknown'})"


def add_other_stream(
    container: av.container.OutputContainer,
    muxer: Muxer,
    source: av.stream.Stream,
    reader: Reader,
    options: StreamOptions,
    warnings: list[str],
) -> OtherStream | None:
    """Add the counterpart of a stream of the source to the output.

    Args:
        container: The output.
        muxer: Writes its packets.
        source: The stream of the source.
        reader: The source.
        options: What happens to the streams.
        warnings: Gets a line where the stream is converted or left out.

    Returns:
        What writes its packets; None where it is left out, or complete at once.
    """
    if not options.keeps(source.type) or _made_by_the_muxer(container, source):
        return None
    try:
        return _Adding(container, muxer, source, reader, warnings).add(options)
    except StreamRefusedError as error:
        warnings.append(f"{label(source)} was left out: {error}")
        return None


def _made_by_the_muxer(container: av.container.OutputContainer, source: av.stream.Stream) -> bool:
    """Return whether the muxer makes a stream from what it is told anyway: chapters, and the time code of the video."""
    if source.type != "data" or container.format.name not in ("mp4", "mov"):
        return False
    titles = codec_name(source) == "bin_data" and bool(source.container.chapters())
    return titles or "timecode" in source.metadata


class _Adding:
    """The ways to add one stream."""

    def __init__(
        self,
        container: av.container.OutputContainer,
        muxer: Muxer,
        source: av.stream.Stream,
        reader: Reader,
        warnings: list[str],
    ) -> None:
        self._container, self._muxer, self._source, self._reader, self._warnings = container, muxer, source, reader, warnings
        self._first = reader.first_packets.get(source.index)
        # a cover picture has no time
        self._offset = Fraction(0) if is_cover(source) else time_offset(container, reader)

    def add(self, options: StreamOptions) -> OtherStream | None:
        import av
        from av.subtitles.stream import SubtitleStream

        if self._source.type == "attachment":
            self._attach()
            return None
        if is_cover(self._source) and self._container.format.name == "matroska":
            attach_cover(self._container, self._source, self._first)
            return None
        ways: dict[str, Callable[[], OtherStream]] = {"copy": self._copy}
        if isinstance(self._source, av.AudioStream):
            ways = {"copy": self._copy, "convert": self._convert_audio}
            if options.audio == "copy":
                del ways["convert"]
            elif options.audio == "convert":
                ways = dict(reversed(ways.items()))
        elif isinstance(self._source, SubtitleStream):
            ways["convert"] = self._convert_text
        return self._first_of(list(ways.values()))

    def _first_of(self, ways: list[Callable[[], OtherStream]]) -> OtherStream:
        refused: list[StreamRefusedError] = []
        for way in ways:
            try:
                return way()
            except StreamRefusedError as error:
                refused.append(error)
        raise refused[0] if self._source.type != "audio" else refused[-1]

    def _attach(self) -> None:
        assert self._source.type == "attachment"
        if self._container.format.name not in ("matroska", "webm"):
            raise StreamRefusedError(f"{self._container.format.name} files hold no attachments")
        name, media_type = self._source.metadata.get("filename"), self._source.metadata.get("mimetype")
        data: bytes = self._source.data  # type: ignore[attr-defined]  # of an attachment
        self._container.add_attachment(name or f"attachment{self._source.index}", media_type or "", data)

    def _copy(self) -> OtherStream:
        import av

        layouts: list[av.AudioLayout | None] = [None]
        if isinstance(self._source, av.AudioStream) and self._source.codec_context is not None:
            if not self._source.rate or not self._source.channels:
                raise StreamRefusedError("its sample rate or channels are not known")
            named = named_layout(self._source.layout)
            layouts += [named] if named is not None and named != self._source.layout else []
        ways = [partial(self._copy_with, layout) for layout in layouts]
        return self._first_of(list(ways))

    def _copy_with(self, layout: av.AudioLayout | None) -> OtherStream:
        """Copy the stream, with another channel layout if one is given."""
        import av

        def add(container: av.container.OutputContainer) -> av.stream.Stream:
            stream = container.add_stream_from_template(self._source, opaque=True)
            if layout is not None and isinstance(stream, av.AudioStream):
                stream.codec_context.layout = layout
            copy_description(self._source, stream)
            return stream

        try_stream(self._container, add, self._first_packet, self._is_copy)
        return self._joined(add(self._container), CopiedPackets(), Rehearsal(self._container, add))

    def _joined(self, target: av.stream.Stream, maker: PacketMaker, rehearsal: Rehearsal | None = None) -> OtherStream:
        if early := lost_seconds(self._container, self._source, self._offset):
            reason = f"{self._container.format.name} files cannot say that it is late"
            self._warnings.append(f"{label(self._source)} begins {early:.1f} s too early: {reason}")
        return OtherStream(self._muxer, self._source, target, maker, offset=self._offset, rehearsal=rehearsal)

    def _first_packet(self, stream: av.stream.Stream) -> Iterable[Packet]:
        import av

        if self._first is not None:
            packet = copy_packet(self._first)
        elif self._container.format.name == "mpegts" and self._source.type in ("subtitle", "data"):
            # the muxer takes any stream, and only its first packet makes it write what it was told of them
            packet = av.Packet(bytes(16))
        else:
            return []
        packet.stream = stream
        RisingStamps(stream).apply(packet, self._offset)
        return [packet]

    def _is_copy(self, stream: av.stream.Stream) -> bool:
        """Return whether a stream that was read back is one like the source."""
        same_kind = stream.type == self._source.type and is_cover(stream) == is_cover(self._source)
        names = {codec_name(stream), codec_name(self._source)}
        # the layer of MPEG audio has no field in a transport stream, and one packet does not tell it
        return same_kind and (len(names) == 1 or names <= MPEG_AUDIO) and _opens(stream)

    def _convert_audio(self) -> OtherStream:
        import av

        source = self._source
        assert isinstance(source, av.AudioStream)
        decoder = self._reader.audio_decoders.get(source.index) or AudioDecoder(source)
        self._reader.audio_decoders[source.index] = decoder
        encoding = choose_encoding(self._container, source)
        target = encoding.add(self._container)
        copy_description(source, target)
        stream = self._joined(target, ConvertedAudio(decoder, target))
        mixed = f", mixed down from {source.layout.name} to {encoding.layout}"
        self._tell(encoding.encoder, mixed if target.channels < source.channels else "")
        return stream

    def _convert_text(self) -> OtherStream:
        from av.subtitles.stream import SubtitleStream

        source = self._source
        assert isinstance(source, SubtitleStream)
        open_decoder(source)
        refused = StreamRefusedError(f"{self._container.format.name} files take no text")
        for encoder in ENCODERS:
            add = partial(add_text, source=source, encoder=encoder)
            try:
                try_stream(self._container, add, sample_text, lambda stream: stream.type == "subtitle")
            except StreamRefusedError as error:
                refused = error
                continue
            target = add(self._container)
            copy_description(source, target)
            self._tell(encoder)
            return self._joined(target, ConvertedText(source, target))
        raise refused

    def _tell(self, encoder: str, more: str = "") -> None:
        self._warnings.append(f"{label(self._source)} was converted from {codec_name(self._source)} to {encoder}{more}")


def _opens(stream: av.stream.Stream) -> bool:
    """Return whether the decoder of an audio stream has all that it needs."""
    import av

    try:
        if isinstance(stream, av.AudioStream):
            stream.codec_context.open(strict=False)
    except (av.FFmpegError, ValueError):
        return False
    return True


def copy_description(source: av.stream.Stream, target: av.stream.Stream) -> None:
    """Copy language, title and other tags, and the disposition (default, forced ...)."""
    kept = {k: v for k, v in source.metadata.items() if k.lower() not in STALE_METADATA and not k.startswith("_STATISTICS")}
    target.metadata.update(kept)
    target.disposition = source.disposition
