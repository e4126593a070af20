"""The faces of a frame drawn into it: their boxes, tracks, blur, and what was done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamdeblur.faces.decision import FaceDecision, Reason
from streamdeblur.faces.tracked_face import Box
from streamdeblur.video.drawing import RGB, draw_box, text_size, write_lines
from streamdeblur.video.planes import Planes, upright_box

COLOURS: dict[Reason, RGB] = {
    "gain": (20, 120, 50),
    "held": (20, 120, 50),
    "always": (20, 120, 50),
    "too little gain": (60, 90, 150),
    "not chosen": (90, 90, 90),
    "no time": (180, 90, 0),
    "failed": (170, 30, 30),
}


@dataclass(frozen=True)
class FaceMark:
    """What is drawn of a face."""

    box: Box
    """x0, y0, x1, y1 in pixels of the frame."""
    reason: Reason
    """What was done with it; it has a colour."""
    texts: Sequence[str]
    """Lines above the box, or in it at the top of the frame."""


def draw_faces(planes: Planes, faces: Sequence[FaceDecision]) -> None:
    """Draw the faces of a frame into it, smaller ones over larger ones.

    Args:
        planes: The frame; it is changed.
        faces: What was done with each of its faces.
    """
    ordered = sorted(faces, key=lambda face: -face.window.side)
    draw_marks(planes, [FaceMark(face.box, face.reason, label_of(face)) for face in ordered])


def draw_marks(planes: Planes, marks: Sequence[FaceMark]) -> None:
    """Draw the boxes of all faces, and over them their texts."""
    for mark in marks:
        draw_box(planes, mark.box, COLOURS[mark.reason])
    for mark in marks:
        needed = 2 * len(mark.texts) * text_size(planes)
        left, top, _, _ = map(round, upright_box(planes, mark.box))
        bottom = top if top >= needed else max(0, top) + needed
        write_lines(planes, mark.texts, max(0, left), bottom, COLOURS[mark.reason])


def label_of(face: FaceDecision) -> list[str]:
    """Return what stands at a face: its track and blur, and what was done with it."""
    track = "" if face.track_id is None else str(face.track_id)
    done = "restored" if face.restored else face.reason
    if face.gain is None or face.blur is None:
        return [f"{track}  {done}".strip()]
    return [f"{track}  blur {face.blur:.2f}".strip(), f"{done}, {face.gain:z.1f} dB"]
