"""Frames in another pixel format or size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamdeblur.video.colour import BT601, FULL_RANGE, LIMITED_RANGE, LUMA_COEFFICIENTS, RGB, assumed_matrix
from streamdeblur.video.copying import copy_frame, copy_tags, empty_like, line_bytes, plane_lines
from streamdeblur.video.layouts import layout_of

if TYPE_CHECKING:
    import av

SWSCALE_BT601 = 5
"""swscale's number of the matrix; the others have those of H.273."""


def to_editable_format(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the frame itself, or if it cannot be edited in place, a copy.

    That of a frame whose lines stand from bottom to top, as in uncompressed AVI files, has them in order; that of a frame in a
    pixel format which cannot be edited is in the one that loses least.
    """
    if layout_of(frame.format.name) is not None:
        return copy_frame(frame) if any(plane.line_size < 0 for plane in frame.planes) else frame
    deep = any(component.bits > 8 for component in frame.format.components)
    chosen = ("gbrp16le" if deep else "rgb24") if frame.format.is_rgb else ("yuv444p16le" if deep else "yuv444p")
    if frame.format.has_palette:
        chosen = "rgba"
    converted = frame.reformat(format=chosen)
    copy_tags(frame, converted)
    return converted


def colour_tags(frame: av.VideoFrame, pixel_format: str) -> tuple[int, int]:
    """Return how a frame is tagged in a pixel format: as it is itself, unless RGB becomes Y'CbCr, or Y'CbCr RGB.

    Args:
        frame: The frame, in its own pixel format.
        pixel_format: FFmpeg's name of the pixel format.

    Returns:
        MatrixCoefficients of H.273, and AVColorRange.
    """
    import av

    to_rgb = av.VideoFormat(pixel_format).is_rgb
    if to_rgb == frame.format.is_rgb:
        return int(frame.colorspace), int(frame.color_range)
    if to_rgb:
        return RGB, FULL_RANGE
    # JPEG has one matrix
    return (BT601, FULL_RANGE) if pixel_format.startswith("yuvj") else (assumed_matrix(frame.height), LIMITED_RANGE)


def _converted(frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
    """A copy in another pixel format, tagged as `colour_tags` says."""
    import av

    matrix, code_range = colour_tags(frame, pixel_format)
    if av.VideoFormat(pixel_format).is_rgb == frame.format.is_rgb:
        converted = frame.reformat(format=pixel_format)
    else:
        # that of the one of the two which is not RGB
        known = matrix if frame.format.is_rgb else int(frame.colorspace)
        known = known if known in LUMA_COEFFICIENTS else assumed_matrix(frame.height)
        known = SWSCALE_BT601 if known == BT601 else known
        converted = frame.reformat(format=pixel_format, src_colorspace=known, dst_colorspace=known, dst_color_range=code_range)
    copy_tags(frame, converted)
    converted.colorspace, converted.color_range = matrix, code_range
    return converted


def fitted(frame: av.VideoFrame, width: int, height: int, pixel_format: str) -> av.VideoFrame:
    """Convert a frame to an encoder's pixel format and size.

    Args:
        frame: The frame; it is not changed.
        width: Width that the encoder needs.
        height: Height that the encoder needs.
        pixel_format: FFmpeg's name of the encoder's pixel format.

    Returns:
        The frame itself where nothing differs; else a copy, padded where up to 3 columns or lines are missing, resized otherwise.
    """
    if frame.format.name != pixel_format:
        frame = _converted(frame, pixel_format)
    if (frame.width, frame.height) == (width, height):
        return frame
    if 0 <= width - frame.width <= 3 and 0 <= height - frame.height <= 3:
        return padded(frame, width, height)
    resized = frame.reformat(width=width, height=height)
    copy_tags(frame, resized)
    return resized


def padded(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Return a copy whose last column and line are repeated up to width x height."""
    import numpy as np

    larger = empty_like(frame, width, height)
    for index, (source, target) in enumerate(zip(frame.planes, larger.planes, strict=True)):
        size, new_size = line_bytes(frame, index), line_bytes(larger, index)
        sample = max(1, size // max(1, source.width))
        lines, target_lines = plane_lines(source)[: source.height, :size], plane_lines(target)
        edge = np.tile(lines[:, -sample:], (1, -(-(new_size - size) // sample)))
        wide = np.concatenate([lines, edge], axis=1)[:, :new_size]
        target_lines[: source.height, :new_size] = wide
        target_lines[source.height : target.height, :new_size] = wide[-1:]
    return larger
