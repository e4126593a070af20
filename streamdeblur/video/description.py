"""What tells players how to show a video: aspect ratio, colour, fields, rotation and HDR metadata."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.video.conversion import colour_tags
from streamdeblur.video.encoders import add_parameters
from streamdeblur.video.filters import filter_graph
from streamdeblur.video.hdr import display_matrix, hdr_parameters

if TYPE_CHECKING:
    import av

INTERLACED = (1 << 18) | (1 << 29)
"""AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME."""
FIELD_ENCODERS = ("libx264", "mpeg2video", "mpeg4", "ffv1", "prores_ks")
"""Encoders that mark frames as interlaced. Others refuse the flags (DNxHR, NVENC), or mean another thing by them (PNG)."""
PROGRESSIVE, TOP_FIRST, BOTTOM_FIRST = 1, 4, 5
"""AVFieldOrder, for frames that hold both fields."""

KEEP_ROTATION = ("mp4", "mov", "ipod", "matroska", "webm")
"""FFmpeg's names of the containers that say how a video is to be turned."""
UPRIGHT = (1 << 16, 0, 0, 1 << 16)
"""The numbers of a display matrix that neither turn nor mirror nor stretch."""

QUICKTIME = ("mp4", "mov", "ipod")
FREE_TAGS = {"mpeg4": ("XVID", "xvid", "DIVX", "divx", "DX50", "FMP4"), "h264": ("H264", "h264", "X264", "x264")}
"""Four letters by which players of AVI files choose their decoder, and which say nothing of how packets are written."""
PRORES_PROFILES = {"apco": "proxy", "apcs": "lt", "apcn": "standard", "apch": "hq", "ap4h": "4444", "ap4x": "4444xq"}


def codec_tag(context: av.VideoCodecContext) -> str:
    """Return the four letters that a container has for the codec of a stream; "" where it has none."""
    try:
        return context.codec_tag.strip("\0")
    except UnicodeDecodeError:
        return ""


@dataclass(frozen=True)
class StreamTags:
    """What a stream says about its video, and its frames do not; it outlasts the file or device."""

    sample_aspect_ratio: Fraction | None
    field_order: int
    """AVFieldOrder."""
    codec_tag: str = ""

    @classmethod
    def of(cls, source: av.VideoStream) -> StreamTags:
        """Read the tags of a stream."""
        context = source.codec_context
        if context is None:
            return cls(source.sample_aspect_ratio, PROGRESSIVE)
        return cls(source.sample_aspect_ratio, context.field_order, codec_tag(context))


def describe(target: av.VideoStream, frame: av.VideoFrame, tags: StreamTags | None = None) -> None:
    """Describe a stream to be written as the source describes its video.

    Call it once the encoder is configured (`encoders.configure`) and before the first frame is encoded.

    Args:
        target: The stream to be written.
        frame: The first frame of the source.
        tags: Those of the stream that the frame was decoded from; None for frames from elsewhere, as raw ones.
    """
    context = target.codec_context
    if tags is not None and tags.sample_aspect_ratio:
        context.sample_aspect_ratio = tags.sample_aspect_ratio
    context.colorspace, context.color_range = colour_tags(frame, str(context.pix_fmt or frame.format.name))
    context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
    add_parameters(context, hdr_parameters(frame, context.name))
    context.field_order = _field_order(frame, tags)
    if frame.interlaced_frame and context.name in FIELD_ENCODERS:
        context.flags |= INTERLACED
        if context.name == "libx264":
            # from the first frame on: x264 takes the order of a frame's own flags only once frames wait in its lookahead
            add_parameters(context, ["tff=1" if context.field_order == TOP_FIRST else "bff=1"])
    matrix = display_matrix(frame)
    if matrix is not None:
        target.set_display_matrix(matrix)
    _label(target, tags.codec_tag if tags is not None else "")


def _label(target: av.VideoStream, source_tag: str) -> None:
    """Choose the letters by which players choose their decoder: those of the source where the codec is the same."""
    context, kind = target.codec_context, target.container.format.name
    family = context.codec.canonical_name
    if family == "hevc" and kind in QUICKTIME:
        # Apple's players refuse hev1, which allows parameter sets among the frames (ISO/IEC 14496-15)
        context.codec_tag = "hvc1"
    elif kind == "avi" and source_tag in FREE_TAGS.get(family, ()):
        context.codec_tag = source_tag
    elif context.name == "prores_ks" and source_tag in PRORES_PROFILES:
        context.options = {**context.options, "profile": PRORES_PROFILES[source_tag]}


def interlacing_warning(encoder: str) -> str:
    """Return what to know about interlaced video that is written with an encoder."""
    if encoder in FIELD_ENCODERS:
        return "the video is interlaced and stays interlaced; deinterlace it first for the best faces"
    return (
        f"the video is interlaced, and {encoder} does not mark its frames as such: players may show both fields at once; "
        "deinterlace it first, or use --codec libx264"
    )


def rotation_warning(kind: str, frame: av.VideoFrame) -> str:
    """Return what to know of a video that is to be turned, in a kind of file that cannot say so; empty for all others.

    Args:
        kind: FFmpeg's name of the container.
        frame: The first frame of the source.
    """
    matrix = display_matrix(frame)
    if matrix is None or kind in KEEP_ROTATION or (matrix[0], matrix[1], matrix[3], matrix[4]) == UPRIGHT:
        return ""
    return (
        f"the source is to be turned or mirrored when it is shown, which {kind} files cannot say: "
        "players will show it as it lies; write .mp4, .mov or .mkv"
    )


def _field_order(frame: av.VideoFrame, tags: StreamTags | None) -> int:
    """The order of the fields by the flags of the frame; by its container, for codecs whose frames have none (HEVC)."""
    if frame.interlaced_frame:
        return TOP_FIRST if top_field_first(frame) else BOTTOM_FIRST
    return tags.field_order if tags is not None else PROGRESSIVE


def top_field_first(frame: av.VideoFrame) -> bool:
    """Return whether a frame is flagged as interlaced with its top field first, which PyAV tells by a filter only."""
    import av

    graph = filter_graph()
    graph.link_nodes(
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)),
        graph.add("select", r"eq(interlace_type\,TOPFIRST)"),
        graph.add("buffersink"),
    ).configure()
    graph.push(frame)
    try:
        graph.pull()
    except av.BlockingIOError:
        return False
    return True
