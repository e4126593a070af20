"""The split view: the left half of a frame as it was, and the right half restored; of a turned one, as it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamdeblur.video.copying import copy_frame, line_bytes, plane_lines
from streamdeblur.video.planes import upright_planes
from streamdeblur.video.side_by_side import mark_sides

if TYPE_CHECKING:
    import av

GROUP = 8
"""Columns that are a whole number of groups with common chroma samples in every format."""


def split_view(before: av.VideoFrame, after: av.VideoFrame) -> av.VideoFrame:
    """Make a frame of the left half of one and the right half of another in the same pixel format, with a line and labels."""
    both = copy_frame(after)
    columns = after.width // 2 // GROUP * GROUP
    for index, target in enumerate(both.planes):
        middle = line_bytes(both, index, columns)
        plane_lines(target)[: target.height, :middle] = plane_lines(before.planes[index])[: target.height, :middle]
    mark_sides(upright_planes(both), columns)
    return both
