"""Before and after beside each other: the line between the two pictures, and what each of them shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamdeblur.video.copying import beside
from streamdeblur.video.drawing import DARK, WHITE, draw_picture, line_width, text_size, write_lines
from streamdeblur.video.planes import Planes, frame_planes, upright_box
from streamdeblur.video.turning import turn_of

if TYPE_CHECKING:
    import av

BEFORE, AFTER = "before", "after"


def mark_sides(planes: Planes, column: int) -> None:
    """Draw a line between the picture before, at the left of a column of a frame, and that after, and write which is which."""
    width = line_width(planes)
    # with dark edges, it is seen on white as well
    line = np.full((planes.height, 3 * width, 3), DARK, np.uint8)
    line[:, width : 2 * width] = WHITE
    draw_picture(replace(planes, turn=0), line, column - 2 * width, 0)
    margin = text_size(planes) // 2
    for text, half in ((BEFORE, (0, 0, column, planes.height)), (AFTER, (column + width, 0, planes.width, planes.height))):
        left, _, _, bottom = map(round, upright_box(planes, half))
        write_lines(planes, [text], left + margin, bottom - margin)


def side_by_side(before: av.VideoFrame, after: av.VideoFrame) -> av.VideoFrame:
    """Place two frames of the same size and pixel format beside each other, with a line between them and what each shows."""
    wide = beside(before, after)
    mark_sides(replace(frame_planes(wide), turn=turn_of(after)), before.width)
    return wide
