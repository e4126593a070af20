"""What tells players how to show a video: aspect ratio, colour, fields, rotation and HDR metadata."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.video.encoders import add_parameters
from streamdeblur.video.hdr import display_matrix, hdr_parameters

if TYPE_CHECKING:
    import av

INTERLACED = (1 << 18) | (1 << 29)
"""AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME."""
PROGRESSIVE, TOP_FIRST, BOTTOM_FIRST = 1, 4, 5
"""AVFieldOrder, for frames that hold both fields."""


@dataclass(frozen=True)
class StreamTags:
    """What a stream says about its video, and its frames do not; it outlasts the file or device."""

    sample_aspect_ratio: Fraction | None
    field_order: int
    """AVFieldOrder."""

    @classmethod
    def of(cls, source: av.VideoStream) -> StreamTags:
        """Read the tags of a stream."""
        return cls(source.sample_aspect_ratio, source.codec_context.field_order if source.codec_context else PROGRESSIVE)


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
    context.colorspace, context.color_range = frame.colorspace, frame.color_range
    context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
    add_parameters(context, hdr_parameters(frame, context.name))
    context.field_order = _field_order(frame, tags)
    if frame.interlaced_frame:
        context.flags |= INTERLACED
        if context.name == "libx264":
            # from the first frame on: x264 takes the order of a frame's own flags only once frames wait in its lookahead
            add_parameters(context, ["tff=1" if context.field_order == TOP_FIRST else "bff=1"])
    matrix = display_matrix(frame)
    if matrix is not None:
        target.set_display_matrix(matrix)


def _field_order(frame: av.VideoFrame, tags: StreamTags | None) -> int:
    """The order of the fields by the flags of the frame; by its container, for codecs whose frames have none (HEVC)."""
    if frame.interlaced_frame:
        return TOP_FIRST if top_field_first(frame) else BOTTOM_FIRST
    return tags.field_order if tags is not None else PROGRESSIVE


def top_field_first(frame: av.VideoFrame) -> bool:
    """Return whether a frame is flagged as interlaced with its top field first, which PyAV tells by a filter only."""
    import av

    graph = av.filter.Graph()
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
