"""Copies of frames, and of their tags and planes."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamdeblur.video.filters import filter_graph
from streamdeblur.video.layouts import layout_of

if TYPE_CHECKING:
    import av


def plane_lines(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """Return a plane as uint8 [lines, bytes per line], padding included; writing to the array changes the frame."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


def line_bytes(frame: av.VideoFrame, index: int, columns: int | None = None) -> int:
    """Return the bytes per line of a plane that hold samples, without the padding.

    Args:
        frame: The frame.
        index: Number of the plane.
        columns: Count the first luma columns only, of a pixel format that can be edited in place.
    """
    layout = layout_of(frame.format.name)
    for component in layout.components if layout else ():
        if component.plane == index:
            samples = -(-(frame.width if columns is None else columns) // component.horizontal)
            return samples * component.stride * np.dtype(layout.dtype).itemsize  # type: ignore[union-attr]
    bits = max((c.bits for c in frame.format.components if c.plane == index), default=8)
    return frame.planes[index].width * -(-bits // 8)


def copy_tags(source: av.VideoFrame, target: av.VideoFrame) -> None:
    """Give `target` the time stamps and colour tags of `source`."""
    target.pts, target.dts, target.duration = source.pts, source.dts, source.duration
    if source.time_base is not None:
        target.time_base = source.time_base
    target.colorspace, target.color_range = source.colorspace, source.color_range
    target.color_primaries, target.color_trc = source.color_primaries, source.color_trc


def empty_like(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Return a frame of another size with the tags of `frame`, whose samples are to be written."""
    import av

    if frame.interlaced_frame:
        # the flags of fields cannot be set, but a conversion keeps them
        return frame.reformat(width=width, height=height, interpolation="POINT")
    empty = av.VideoFrame(width, height, frame.format.name)
    copy_tags(frame, empty)
    return empty


class _References(threading.local):
    """References to frames: they share their samples, and have all their properties. One filter graph is kept per thread."""

    def __init__(self) -> None:
        self._shape: tuple[int, int, str] | None = None

    def to(self, frame: av.VideoFrame) -> av.VideoFrame:
        shape = frame.width, frame.height, frame.format.name
        if shape != self._shape:
            self._graph, self._shape = self._open(*shape), shape
        self._graph.push(frame)
        reference = self._graph.pull()
        reference.time_base = frame.time_base or Fraction(0)
        return reference  # type: ignore[return-value]  # frames of video come out of a graph for video

    @staticmethod
    def _open(width: int, height: int, pixel_format: str) -> av.filter.Graph:
        import av

        graph = filter_graph()
        source = graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixel_format), time_base=Fraction(1))
        graph.link_nodes(source, graph.add("buffersink")).configure()
        return graph


_references = _References()


def reference_to(frame: av.VideoFrame) -> av.VideoFrame:
    """Return another frame with the samples and all properties of a frame, for another thread.

    PyAV keeps what converts a frame with it, and changes its tags meanwhile: two threads that convert one frame at the same time
    wait for ever, or convert it wrongly.
    """
    return _references.to(frame)


def copy_frame(frame: av.VideoFrame) -> av.VideoFrame:
    """Copy a frame with its pixels, time stamps, tags, flags of fields and side data."""
    copied = _references.to(frame)
    copied.make_writable()
    return copied


def beside(left: av.VideoFrame, right: av.VideoFrame) -> av.VideoFrame:
    """Place two frames of the same size and pixel format beside each other in one."""
    wide = empty_like(left, left.width + right.width, left.height)
    for index, target in enumerate(wide.planes):
        size, total = line_bytes(left, index), line_bytes(wide, index)
        sources = [plane_lines(frame.planes[index])[: target.height, :size] for frame in (left, right)]
        # an odd width has one chroma column less than two of its halves
        plane_lines(target)[: target.height, :total] = np.concatenate(sources, axis=1)[:, :total]
    return wide
