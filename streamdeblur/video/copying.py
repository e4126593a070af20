"""Copies of frames: whole, padded, or beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av


def plane_lines(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """A plane as uint8 [lines, bytes per line], padding included; writing to it changes the frame."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)


def line_bytes(frame: av.VideoFrame, index: int) -> int:
    """Bytes per line of plane `index` that hold samples."""
    return frame.planes[index].width * (plane_bits(frame, index) // 8)


def plane_bits(frame: av.VideoFrame, index: int) -> int:
    """Bits per sample position of a plane, all its interleaved components together, whole bytes each."""
    components = [c for c in frame.format.components if c.plane == index]
    return sum(-(-c.bits // 8) * 8 for c in components)


def copy_tags(source: av.VideoFrame, target: av.VideoFrame) -> None:
    """Give `target` the time stamps and colour tags of `source`."""
    target.pts, target.dts, target.duration = source.pts, source.dts, source.duration
    if source.time_base is not None:
        target.time_base = source.time_base
    target.colorspace, target.color_range = source.colorspace, source.color_range
    target.color_primaries, target.color_trc = source.color_primaries, source.color_trc


def copy_frame(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of its own memory with the same pixels, time stamps and colour tags (side data is not copied)."""
    import av

    copied = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, copied.planes, strict=True):
        lines, target_lines = plane_lines(source), plane_lines(target)
        size = min(lines.shape[1], target_lines.shape[1])
        target_lines[: lines.shape[0], :size] = lines[: target_lines.shape[0], :size]
    copy_tags(frame, copied)
    return copied
