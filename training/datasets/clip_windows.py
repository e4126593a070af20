"""Windows of clips: squares that stand still in a video while a face moves in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE

CLIP_SCALE = 2.0
"""Side of a clip's window in face sizes, where the frame is large enough: the face moves, and a virtual camera may."""
LEAST_SCALE = 1.3
"""Side of the tightest window, where the frame ends close to the face."""
MARGIN = 0.1
"""Fraction of its size that is kept free on each side of a face."""
LONGEST = 500
"""Frames of a clip at most."""
AS_IT_IS = 0.1
"""A window whose scale is this close to 1 is not resampled, which would only soften it."""


@dataclass(frozen=True)
class ClipWindow:
    """A square of the frame that stands still from frame `begin` to before frame `end`."""

    begin: int
    end: int
    left: int
    top: int
    side: int
    """Side in pixels of the frame; the square lies within it."""
    size: int
    """Side of the clip's frames in pixels."""
    face: float
    """Median face size in pixels of the frame."""

    @property
    def scale(self) -> float:
        """Pixels of the clip per pixel of the frame."""
        return self.size / self.side

    def inside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert x, y pairs [..., 2] from pixels of the frame to pixels of the clip."""
        return (points - (self.left, self.top)) * self.scale


def largest_scale(min_face: float) -> float:
    """Return the scale at which a face of `min_face` pixels fills a crop, plus one percent: windows have whole pixels."""
    return 1.01 * CROP_SIZE / (WINDOW_SCALE * min_face)


def whole_square(box: Sequence[float] | NDArray[np.floating]) -> tuple[int, int, int]:
    """Return the window of a face box in whole pixels: a square of 1.7 times its longer side.

    The side is 256 px where it is nearly that: resampling would only soften the face. The window may exceed the border.

    Args:
        box: x0, y0, x1, y1 in pixels.

    Returns:
        Left, top and side.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(16, round(WINDOW_SCALE * max(x1 - x0, y1 - y0)))
    if abs(side / CROP_SIZE - 1.0) < AS_IT_IS:
        side = CROP_SIZE
    return round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2), side


def clip_windows(boxes: Sequence[NDArray[np.float64]], begin: int, picture: tuple[int, int, int, int]) -> list[ClipWindow]:
    """Cut a run of a face into pieces that one still window covers, as long as possible.

    Args:
        boxes: x0, y0, x1, y1 of the face in each frame from frame `begin` on.
        begin: Index of the first frame.
        picture: Left, top, right and bottom of the part of the frames where windows may lie.

    Returns:
        The windows, without those of pieces whose face fills the picture.
    """
    x, y, width, height = picture[0], picture[1], picture[2] - picture[0], picture[3] - picture[1]
    boxes = [box - (x, y, x, y) for box in boxes]
    windows = []
    first = 0
    while first < len(boxes):
        last = _reach(boxes, first, width, height)
        window = _window(np.array(boxes[first:last]), begin + first, width, height)
        if window is not None:
            windows.append(replace(window, left=window.left + x, top=window.top + y))
        first = last
    return windows


def _reach(boxes: Sequence[NDArray[np.float64]], first: int, width: int, height: int) -> int:
    """Return the index after the last frame that one window covers together with frame `first`."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for n in range(first, min(len(boxes), first + LONGEST)):
        size = (boxes[n][2:] - boxes[n][:2]).max()
        low = np.minimum(low, np.maximum(boxes[n][:2] - MARGIN * size, 0))
        high = np.maximum(high, np.minimum(boxes[n][2:] + MARGIN * size, (width, height)))
        if n > first and (high - low).max() > min(CLIP_SCALE * size, width, height):
            return n
    return min(len(boxes), first + LONGEST)


def _window(boxes: NDArray[np.float64], begin: int, width: int, height: int) -> ClipWindow | None:
    face = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    covered = np.array([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    placed = place_square(covered.mean(axis=0), face, CLIP_SCALE, width, height)
    if placed is None:
        return None
    left, top, side = placed
    scale = max(CROP_SIZE / (WINDOW_SCALE * face), CROP_SIZE / side)
    if abs(scale - 1) < AS_IT_IS and side >= CROP_SIZE:
        size = side = side // 2 * 2
    else:
        size = max(CROP_SIZE, round(side * scale / 2) * 2)
    return ClipWindow(begin, begin + len(boxes), left, top, side, size, face)


def place_square(centre: NDArray[np.float64], face: float, scale: float, width: int, height: int) -> tuple[int, int, int] | None:
    """Place a square within a picture, as near to `centre` as possible.

    Args:
        centre: x, y in pixels.
        face: Size of the face in pixels.
        scale: Side of the square in face sizes; it is smaller where the picture is.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        Left, top and side; None where the side would be less than `LEAST_SCALE` times the face.
    """
    side = int(min(scale * face, width, height))
    if side < LEAST_SCALE * face:
        return None
    left, top = (min(max(round(c - side / 2), 0), whole - side) for c, whole in zip(centre, (width, height), strict=True))
    return left, top, side
