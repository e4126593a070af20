"""Audio, decoded and encoded again where a container does not take its codec or channel layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamdeblur.video.filters import filter_graph
from streamdeblur.video.trial import StreamRefusedError, try_stream

if TYPE_CHECKING:
    import av

    from streamdeblur.video.trial import Packet

ENCODERS = ("aac", "ac3", "libmp3lame", "flac")
"""FFmpeg's audio encoders to convert with, the preferred ones first."""
ENCODERS_OF_CONTAINER = {"webm": ("libopus", "libvorbis"), "avi": ("libmp3lame", "ac3", "mp2")}
"""Those for containers whose players expect others."""

BITS_PER_CHANNEL, BITS_PER_SURROUND_CHANNEL = 96_000, 64_000
"""Bits per second and channel, up to two channels and beyond."""


def named_layout(layout: av.AudioLayout) -> av.AudioLayout | None:
    """Return a layout whose channels have names: for one that is only a count, FFmpeg's default for it; None if there is none."""
    import av

    if not layout.name.endswith(" channels"):
        return layout
    try:
        return av.AudioLayout(f"{layout.nb_channels}c")
    except ValueError:
        return None


class AudioDecoder:
    """Decodes an audio stream; each packet once, however many writers ask for its frames."""

    def __init__(self, stream: av.AudioStream) -> None:
        """Prepare the decoder, which names the channels of a layout that is only a count.

        Raises:
            StreamRefusedError: This FFmpeg has no decoder for the stream.
        """
        if stream.codec_context is None or not stream.rate or not stream.channels:
            raise StreamRefusedError("its codec, sample rate or channels are not known")
        self._context = stream.codec_context
        layout = named_layout(stream.layout)
        if layout is not None and not self._context.is_open:
            self._context.layout = layout
        self._packet: Packet | None = None
        self._result: list[av.AudioFrame] | Exception = []
        self._ended = False

    def frames(self, packet: Packet | None) -> list[av.AudioFrame]:
        """Return the frames of a packet, which are not to be changed; for None, those that remain. Raises av.FFmpegError."""
        if packet is not self._packet or (packet is None and not self._ended):
            self._packet, self._ended = packet, packet is None
            self._result = self._decode(packet)
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def _decode(self, packet: Packet | None) -> list[av.AudioFrame] | Exception:
        import av

        try:
            return self._context.decode(packet)
        except av.FFmpegError as error:
            return error


@dataclass(frozen=True)
class AudioEncoding:
    """How audio is encoded."""

    encoder: str
    layout: str
    rate: int
    sample_format: str

    def add(self, container: av.container.OutputContainer) -> av.AudioStream:
        """Add a stream that is encoded like this."""
        import av

        stream = container.add_stream(self.encoder, rate=self.rate)
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        context.layout, context.format = self.layout, self.sample_format
        channels = context.layout.nb_channels
        context.bit_rate = channels * (BITS_PER_CHANNEL if channels < 3 else BITS_PER_SURROUND_CHANNEL)
        return stream


def choose_encoding(container: av.container.OutputContainer, source: av.AudioStream) -> AudioEncoding:
    """Choose the first encoding that `container` keeps: with all channels if there is one, otherwise mixed down.

    Raises:
        StreamRefusedError: There is none.
    """
    refused = StreamRefusedError(f"no audio encoder for {container.format.name} files takes {source.layout.name}")
    for encoding in _candidates(container.format.name, source):
        try:
            try_stream(container, encoding.add, _silence, lambda stream: stream.type == "audio")
        except StreamRefusedError as error:
            refused = error
        else:
            return encoding
    raise refused


def _candidates(kind: str, source: av.AudioStream) -> Iterator[AudioEncoding]:
    import av

    named = named_layout(source.layout)
    layouts = [named.name] if named else []
    layouts += [name for name in _simpler_layouts(source.channels) if name not in layouts]
    for layout in layouts:
        for name in ENCODERS_OF_CONTAINER.get(kind, ENCODERS):
            if name not in av.codecs_available:
                continue
            codec = av.codec.Codec(name, "w")
            formats = [f.name for f in codec.audio_formats or []]
            wanted = source.format.name if source.format else ""
            yield AudioEncoding(name, layout, _rate(codec, source.rate), wanted if wanted in formats else formats[0])


def _simpler_layouts(channels: int) -> list[str]:
    """The default layout of so many channels, and those to mix down to."""
    return [name for count, name in ((8, "7.1"), (6, "5.1"), (2, "stereo"), (1, "mono")) if count <= channels]


def _rate(codec: av.codec.Codec, wanted: int) -> int:
    """The sample rate of the encoder that is nearest, rather a higher than a lower one."""
    rates = codec.audio_rates or [wanted]
    return wanted if wanted in rates else min(rates, key=lambda rate: (rate < wanted, abs(rate - wanted)))


def _silence(stream: av.stream.Stream) -> Iterator[Packet]:
    """Encode a few frames of silence with the encoder of the stream."""
    import av

    assert isinstance(stream, av.AudioStream)
    context = stream.codec_context
    context.open()
    # made by FFmpeg: PyAV reads beyond the planes of a frame of eight or more channels (AudioFrame.planes)
    graph = filter_graph()
    samples = str(context.frame_size or 1024)
    graph.link_nodes(
        graph.add("anullsrc", channel_layout=context.layout.name, sample_rate=str(context.rate), nb_samples=samples),
        graph.add("aformat", sample_fmts=context.format.name),
        graph.add("abuffersink"),
    ).configure()
    for _ in range(3):
        frame = graph.pull()
        assert isinstance(frame, av.AudioFrame)
        yield from stream.encode(frame)
    yield from stream.encode(None)


class ConvertedAudio:
    """Decodes audio and encodes it again."""

    def __init__(self, decoder: AudioDecoder, target: av.AudioStream) -> None:
        self._decoder, self._target = decoder, target
        target.codec_context.open()
        self._resampler: av.AudioResampler | None = None
        self._resampled: tuple[str, str, int] | None = None

    def packets(self, packet: Packet | None) -> Iterator[Packet]:
        """Return the encoded packets for one of the source; for None, those that remain. Raises av.FFmpegError, ValueError."""
        for frame in self._decoder.frames(packet):
            for converted in self._convert(frame):
                yield from self._target.encode(converted)
        if packet is None:
            for converted in self._flush():
                yield from self._target.encode(converted)
            yield from self._target.encode(None)

    def _convert(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """Bring a frame into the encoder's format; a stream may change its own at any time."""
        from av import AudioResampler

        properties = (frame.format.name, frame.layout.name, frame.sample_rate)
        finished = []
        if self._resampled != properties:
            finished = self._flush()
            context = self._target.codec_context
            self._resampler, self._resampled = AudioResampler(context.format, context.layout, context.rate), properties
        assert self._resampler is not None
        return finished + self._resampler.resample(frame)

    def _flush(self) -> list[av.AudioFrame]:
        frames = self._resampler.resample(None) if self._resampler else []
        # a resampler with nothing to do returns what it was given
        return [frame for frame in frames if frame is not None]
