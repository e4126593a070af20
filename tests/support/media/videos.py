"""Real video files, made by PyAV for the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from streamdeblur.video.scheduling import scheduling_kept


@dataclass(frozen=True)
class VideoSpec:
    """What a test video is made of."""

    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict = field(default_factory=lambda: {"crf": "12", "preset": "ultrafast"})
    time_base: Fraction = Fraction(1, 25)
    pts: tuple[int, ...] | None = None
    colorspace: int = 1
    color_range: int = 1
    audio: str | None = None
    subtitles: bool = False
    rotation: int = 0
    aspect: Fraction | None = None
    metadata: dict = field(default_factory=dict)
    chapters: tuple = ()
    attachment: bytes | None = None
    fields: str | None = None
    """"tff" or "bff": interlaced frames, whose top or bottom field is first."""
    codec_tag: str | None = None
    time_code: str | None = None
    primaries: int | None = None
    transfer: int | None = None


def write_video(path, pictures, recipe=VideoSpec()):
    """Encode pictures (uint8 RGB [H, W, 3]) into `path`."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        container.metadata.update(recipe.metadata)
        rate = round(1 / recipe.time_base) if recipe.pts is None else 25
        stream = container.add_stream(recipe.codec, rate=rate, options=dict(recipe.options))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, recipe.pixel_format
        context.time_base = stream.time_base = recipe.time_base
        context.colorspace, context.color_range = recipe.colorspace, recipe.color_range
        if recipe.codec_tag:
            context.codec_tag = recipe.codec_tag
        if recipe.time_code:
            stream.metadata["timecode"] = recipe.time_code
        if recipe.aspect:
            context.sample_aspect_ratio = recipe.aspect
        context.color_primaries, context.color_trc = recipe.primaries or 2, recipe.transfer or 2
        if recipe.fields:
            context.flags |= (1 << 18) | (1 << 29)
        if recipe.rotation:
            stream.set_display_rotation(recipe.rotation)
        sound = container.add_stream(recipe.audio, rate=48000) if recipe.audio else None
        if sound is not None:
            sound.metadata["language"] = "deu"
        texts = _subtitle_stream(container) if recipe.subtitles else None
        if recipe.attachment:
            container.add_attachment("note.txt", "text/plain", recipe.attachment)
        if recipe.chapters:
            container.set_chapters(list(recipe.chapters))
        if texts is not None:
            _write_subtitles(container, texts)
        with scheduling_kept():
            for number, picture in enumerate(pictures):
                frame = rgb_to_frame(picture, recipe)
                if recipe.fields:
                    frame = with_fields(frame, recipe.fields)
                frame.pts = number if recipe.pts is None else recipe.pts[number]
                frame.time_base = recipe.time_base
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _write_sound(container, sound, len(pictures) / 25)
    return path


def rgb_to_frame(picture, recipe):
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    spaces = {1: "itu709", 6: "smpte170m", 9: "bt2020"}
    frame = frame.reformat(
        format=recipe.pixel_format, dst_colorspace=spaces[recipe.colorspace], dst_color_range=recipe.color_range
    )
    frame.colorspace, frame.color_range = recipe.colorspace, recipe.color_range
    return frame


def with_fields(frame, order):
    """The frame, flagged as interlaced: "tff" or "bff"."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()


def _subtitle_stream(container):
    kind = "mov_text" if container.format.name in ("mp4", "mov") else "subrip"
    stream = container.add_mux_stream(kind)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "fra"
    return stream


def _write_subtitles(container, stream):
    for start, length, text in ((100, 800, b"Hello"), (1000, 500, b"Good bye")):
        packet = av.Packet(len(text).to_bytes(2, "big") + text if container.format.name in ("mp4", "mov") else text)
        packet.pts = packet.dts = start
        packet.duration = length
        packet.time_base = Fraction(1, 1000)
        packet.stream = stream
        container.mux_one(packet)


def _write_sound(container, stream, seconds):
    samples = (np.sin(np.arange(int(48000 * seconds)) * 0.05) * 8000).astype(np.int16)
    for begin in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + 1024], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def read_frames(path):
    """All decoded frames of the video stream."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def stamps(path):
    """(time, duration) in seconds of every packet, by stream index, in order of time."""
    times: dict[int, list] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                stamp = (packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
                times.setdefault(packet.stream_index, []).append(stamp)
    return {index: sorted(values) for index, values in times.items()}


def payloads(path, kind):
    """Packet contents of the first stream of this kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def copied(source, target, *, first_packet=0, later=Fraction(0)):
    """Copy the packets of a file from one of its video packets on, with later (or earlier) stamps."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in container.streams}
        count = 0
        for packet in container.demux():
            if not packet.size:
                continue
            if packet.stream.type == "video":
                count += 1
                if count <= first_packet:
                    continue
            packet.pts += round(later / packet.time_base)
            packet.dts += round(later / packet.time_base)
            packet.stream = streams[packet.stream_index]
            output.mux_one(packet)
    return target


def write_growing_video(path, *, small, large, codec="libvpx-vp9"):
    """A gray video with six frames of the size that it declares, and one that is larger: uint8 RGB squares of these sides."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = small
        stream.pix_fmt = "yuv420p"
        for size, stamps in ((small, range(6)), (large, range(6, 7))):
            encoder = av.CodecContext.create(codec, "w")
            encoder.width = encoder.height = size
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
            encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
            frames = [_gray(size, stamp) for stamp in stamps]
            for frame in [*frames, None]:
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    container.mux(packet)
    return path


def _gray(size, stamp):
    frame = av.VideoFrame.from_ndarray(np.full((size, size), 128, np.uint8), format="gray").reformat(format="yuv420p")
    frame.pts, frame.time_base = stamp, Fraction(1, 25)
    return frame
