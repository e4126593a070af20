"""A comparison sheet: a picture before and after, and each of its faces enlarged, with what was done with it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.decision import FaceDecision
from streamdeblur.faces.drawn import FaceMark, draw_marks
from streamdeblur.faces.window import crop_region
from streamdeblur.video.drawing import DARK, draw_picture, text_picture
from streamdeblur.video.planes import Planes, array_planes, upright_box
from streamdeblur.video.side_by_side import mark_sides
from streamdeblur.video.turning import turned_picture

WIDTH, GAP = 1600, 16
"""Of a sheet, and between two faces, in pixels."""
HALF = (WIDTH - GAP) // 2
"""Width of the two pictures of a face."""
TALLEST = 1000
"""Pixels of the height of the picture."""
FACE = HALF // 2 - 2
"""Side of the picture of a face."""
TEXT = 18
"""Pixels of the height of its letters."""
MOST_FACES = 12
"""Faces that are enlarged: the largest ones."""


def comparison_sheet(before: Planes, after: Planes, faces: Sequence[FaceDecision], threshold: float) -> NDArray[np.uint8]:
    """Return the sheet as uint8 RGB [H, W, 3].

    Args:
        before: The frame as it was.
        after: The same with its restored faces.
        faces: What was done with each of them; they are numbered by their size.
        threshold: Gain in dB from which faces were restored.
    """
    faces = sorted(faces, key=lambda face: -face.window.side)
    parts = [_frames(before, after, faces)]
    cells = [_cell(before, after, number, face, threshold) for number, face in enumerate(faces[:MOST_FACES], 1)]
    parts += [_row(cells[n : n + 2]) for n in range(0, len(cells), 2)]
    if len(faces) > MOST_FACES:
        parts.append(text_picture(f"{len(faces) - MOST_FACES} smaller faces are not enlarged.", TEXT))
    elif not faces:
        parts.append(text_picture("No face was found.", TEXT))
    return np.concatenate([_widened(part) for part in parts])


def _frames(before: Planes, after: Planes, faces: Sequence[FaceDecision]) -> NDArray[np.uint8]:
    """The two frames beside each other, the faces outlined at the left."""
    whole = [_picture(before, 0, 0, before.width, before.height), _picture(after, 0, 0, after.width, after.height)]
    lines, columns = whole[0].shape[:2]
    scale = min(WIDTH / 2 / columns, TALLEST / lines)
    width, height = round(scale * columns), round(scale * lines)
    enlarges = scale > 1
    pictures = [cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC if enlarges else cv2.INTER_AREA) for one in whole]
    outlined = np.ascontiguousarray(pictures[0], np.uint8)
    marks = []
    for number, face in enumerate(faces, 1):
        x0, y0, x1, y1 = (scale * value for value in upright_box(before, face.box))
        marks.append(FaceMark((x0, y0, x1, y1), face.reason, [str(number)]))
    draw_marks(array_planes(outlined), marks)
    both = np.ascontiguousarray(np.concatenate([outlined, pictures[1]], axis=1), np.uint8)
    mark_sides(array_planes(both), width)
    return both


def _cell(before: Planes, after: Planes, number: int, face: FaceDecision, threshold: float) -> NDArray[np.uint8]:
    """A face before and after, and what is known of it: uint8 RGB [H, HALF, 3]."""
    window = face.window
    pictures = [_picture(planes, window.left, window.top, window.side, window.side, FACE) for planes in (before, after)]
    texts = _texts(number, before, after, face, threshold)
    lines = [text_picture(text, TEXT) for text in texts]
    cell = np.full((FACE + GAP + sum(len(line) for line in lines), HALF, 3), DARK, np.uint8)
    planes = array_planes(cell)
    draw_picture(planes, pictures[0], 0, 0)
    draw_picture(planes, pictures[1], HALF - FACE, 0)
    top = FACE
    for line in lines:
        draw_picture(planes, line, 0, top)
        top += len(line)
    return cell


def _picture(planes: Planes, left: float, top: float, width: float, height: float, size: int | None = None) -> NDArray[np.uint8]:
    """A region of a frame, upright, as a square of `size` pixels; by default as large as it is."""
    out = np.empty((size or round(height), size or round(width), 3), np.uint8)
    return turned_picture(crop_region(planes, left, top, width, height, out), planes.turn)


def _texts(number: int, before: Planes, after: Planes, face: FaceDecision, threshold: float) -> list[str]:
    x0, y0, x1, y1 = upright_box(before, face.box)
    blurs = f"blur {face.blur_in(before):.2f} before, {face.blur_in(after):.2f} after"
    expected = "" if face.gain is None else f"; {face.gain:z.1f} dB to be gained"
    asked = f", {threshold:.1f} dB needed" if expected and np.isfinite(threshold) else ""
    return [
        f"Face {number}, {x1 - x0:.0f} x {y1 - y0:.0f} px: {blurs}",
        f"{face.in_words[:1].upper()}{face.in_words[1:]}{expected}{asked}",
    ]


def _row(cells: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Cells beside each other, below a gap."""
    row = np.full((GAP + max(map(len, cells)), WIDTH, 3), DARK, np.uint8)
    for number, cell in enumerate(cells):
        draw_picture(array_planes(row), cell, number * (HALF + GAP), GAP)
    return row


def _widened(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A part of the sheet in the middle of its width."""
    whole = np.full((part.shape[0], WIDTH, 3), DARK, np.uint8)
    draw_picture(array_planes(whole), part, (WIDTH - part.shape[1]) // 2, 0)
    return whole
