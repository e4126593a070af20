"""Turned frames: phones record a picture on its side, with a matrix by which players turn it upright."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.video.hdr import display_matrix

if TYPE_CHECKING:
    import av


def turn_of(frame: av.VideoFrame) -> int:
    """Return the quarter turns, counterclockwise, after which the picture of a frame is upright, 0 to 3.

    A picture that players mirror as well is upright then, but stays mirrored.
    """
    matrix = display_matrix(frame)
    if matrix is None:
        return 0
    # how far a step to the right, and one down, in the frame leads down in the picture that players show
    right, down = matrix[1], matrix[4]
    return round(-math.degrees(math.atan2(right, down)) / 90) % 4


def turned_picture(picture: NDArray[Any], turn: int) -> NDArray[Any]:
    """Turn a picture, [H, W, ...], by quarter turns counterclockwise; the result is C-contiguous."""
    return np.ascontiguousarray(np.rot90(picture, turn)) if turn % 4 else picture


def turned_size(width: int, height: int, turn: int) -> tuple[int, int]:
    """Return width and height of a picture of this size once it is turned by quarter turns."""
    return (height, width) if turn % 2 else (width, height)


def turned_points(points: NDArray[Any], turn: int, width: float, height: float) -> NDArray[Any]:
    """Return where points of a picture lie once it is turned.

    Args:
        points: x and y in pixels, [..., 2].
        turn: Quarter turns, counterclockwise; those of the way back are negative.
        width: Of the picture before, in pixels.
        height: Of the picture before.
    """
    for _ in range(turn % 4):
        points = np.stack([points[..., 1], width - points[..., 0]], axis=-1)
        width, height = height, width
    return points


def turned_box(box: NDArray[Any], turn: int, width: float, height: float) -> NDArray[Any]:
    """Return where a box (x0, y0, x1, y1 in pixels) of a picture lies once it is turned; arguments as for `turned_points`."""
    corners = turned_points(box.reshape(2, 2), turn, width, height)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
