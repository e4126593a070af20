"""Small videos with streams of all kinds, and the way through reader and writer without a face restored, which takes no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from streamdeblur.options import EncodingOptions, StreamOptions
from streamdeblur.video.reader import Reader
from streamdeblur.video.writer import Writer

SIDE, FRAMES, RATE = 64, 10, 25


def transcode(source, target, *, start=0.0, duration=None, codec=None, **streams):
    """Write `source` to `target` and return the warnings; `streams` are fields of `StreamOptions`."""
    reader = Reader(source, start=start, duration=duration)
    try:
        with Writer(target, reader, EncodingOptions(codec=codec), StreamOptions(**streams)) as writer:
            for item in reader:
                if isinstance(item, av.VideoFrame):
                    writer.write(item)
                else:
                    writer.copy(item)
    finally:
        reader.close()
    return [*reader.warnings, *writer.warnings]


@dataclass(frozen=True)
class Sound:
    """An audio stream of a test video."""

    codec: str = "aac"
    layout: str = "mono"
    rate: int = 48000
    counted: bool = False
    """Its layout is a number of channels only."""
    language: str = "deu"
    pts: dict[int, int] = field(default_factory=dict)
    """Other time stamps for some packets, by their number."""
    damaged: dict[int, bytes] = field(default_factory=dict)
    """Other contents for some packets, by their number."""


def write_streams(path, *sounds, codec="mpeg4", frames=FRAMES, texts=(), cover=None, tags=None, format=None, options=None):
    """Write a grey video of 64 x 64 with audio streams, text subtitles [(start ms, length ms, text)] and a cover picture."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        container.metadata.update(tags or {})
        video = container.add_stream(codec, rate=RATE, width=SIDE, height=SIDE)
        video.codec_context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        audio = [_add_sound(container, sound) for sound in sounds]
        subtitles = _add_texts(container, texts) if texts else None
        picture = _add_cover(container, cover) if cover else None
        if picture is not None:
            container.mux_one(picture)
        for packet in subtitles or ():
            container.mux_one(packet)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((SIDE, SIDE), 40 + 8 * (number % 20), np.uint8), format="gray")
            frame = frame.reformat(format=video.codec_context.pix_fmt)
            frame.pts = number
            container.mux(video.encode(frame))
            if number == 0:
                for sound, stream in zip(sounds, audio, strict=True):
                    _write_sound(container, sound, stream, frames / RATE)
        container.mux(video.encode(None))
    return path


def _add_sound(container, sound):
    stream = container.add_stream(sound.codec, rate=sound.rate)
    context = stream.codec_context
    channels = av.AudioLayout(sound.layout).nb_channels
    context.layout = f"{channels} channels" if sound.counted else sound.layout
    formats = [f.name for f in context.codec.audio_formats or []]
    if formats:
        context.format = formats[0]
    if sound.codec.startswith("wma"):
        context.bit_rate = 96_000
    context.options = {"strict": "experimental"}
    stream.metadata["language"] = sound.language
    return stream


def _write_sound(container, sound, stream, seconds):
    context = stream.codec_context
    context.open(strict=False)
    layout = av.AudioLayout(sound.layout)
    resampler = av.AudioResampler(context.format.name, context.layout.name if not sound.counted else None, sound.rate)
    samples = (np.sin(np.arange(int(sound.rate * seconds)) * 0.05) * 8000).astype(np.int16)
    interleaved = np.repeat(samples, layout.nb_channels)[None]
    frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=context.layout.name if sound.counted else sound.layout)
    frame.rate, frame.pts, frame.time_base = sound.rate, 0, Fraction(1, sound.rate)
    packets = [packet for part in (*resampler.resample(frame), None) for packet in stream.encode(part)]
    for number, packet in enumerate(packets):
        if number in sound.damaged:
            packet = _with_content(packet, sound.damaged[number])
        if number in sound.pts:
            packet.pts = packet.dts = sound.pts[number]
        container.mux_one(packet)


def _with_content(packet, content):
    other = av.Packet(content)
    other.stream, other.pts, other.dts = packet.stream, packet.pts, packet.dts
    other.duration, other.time_base, other.is_keyframe = packet.duration, packet.time_base, True
    return other


def _add_texts(container, texts):
    codec = "mov_text" if container.format.name in ("mp4", "mov") else "subrip"
    stream = container.add_mux_stream(codec)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "fra"
    for start, length, text in texts:
        packet = av.Packet(len(text).to_bytes(2, "big") + text if codec == "mov_text" else text)
        packet.pts = packet.dts = start
        packet.duration, packet.time_base, packet.stream = length, Fraction(1, 1000), stream
        yield packet


def _add_cover(container, data):
    if container.format.name == "matroska":
        container.add_attachment("cover.jpg", "image/jpeg", data)
        return None
    stream = container.add_mux_stream("mjpeg", width=16, height=16)
    stream.time_base = Fraction(1, 90000)
    stream.disposition = av.stream.Disposition.attached_pic
    packet = av.Packet(data)
    packet.stream, packet.pts, packet.dts, packet.time_base, packet.is_keyframe = stream, 0, 0, Fraction(1, 90000), True
    return packet


def jpeg_picture():
    """A red picture of 16 x 16 as a JPEG file."""
    context = av.CodecContext.create("mjpeg", "w")
    context.width = context.height = 16
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), (200, 30, 30), np.uint8), format="rgb24")
    frame = frame.reformat(format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def streams_of(path):
    """(type, codec) of each stream."""
    with av.open(str(path)) as container:
        return [(s.type, s.codec_context.codec.canonical_name if s.codec_context else None) for s in container.streams]


def seconds_of_sound(path, number=0):
    """Seconds of decoded samples of an audio stream."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        return sum(frame.samples / frame.sample_rate for frame in container.decode(stream))


def tags_of(path):
    """Tags of a file, with names in lower case."""
    with av.open(str(path)) as container:
        return {name.lower(): value for name, value in container.metadata.items()}
