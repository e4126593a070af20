"""The faces of a frame drawn into it: their boxes, tracks, blur, and what was done with them."""

from __future__ import annotations

from collections.abc import Sequence

from streamdeblur.faces.decision import FaceDecision, Reason
from streamdeblur.faces.tracked_face import Box
from streamdeblur.video.drawing import RGB, draw_box, text_size, upright_box, write_lines
from streamdeblur.video.planes import Planes

COLOURS: dict[Reason, RGB] = {
    "gain": (20, 120, 50),
    "held": (20, 120, 50),
    "always": (20, 120, 50),
    "too little gain": (60, 90, 150),
    "not chosen": (90, 90, 90),
    "no time": (180, 90, 0),
    "failed": (170, 30, 30),
}


def draw_faces(planes: Planes, faces: Sequence[FaceDecision]) -> None:
    """Draw the faces of a frame into it, smaller ones over larger ones.

    Args:
        planes: The frame; it is changed.
        faces: What was done with each of its faces.
    """
    for face in sorted(faces, key=lambda face: -face.window.side):
        draw_face(planes, face.box, face.reason, label_of(face))


def draw_face(planes: Planes, box: Box, reason: Reason, texts: Sequence[str]) -> None:
    """Draw the box of a face, in the colour of what was done with it, and lines of text above it, or in it at the frame's top."""
    colour = COLOURS[reason]
    draw_box(planes, box, colour)
    needed = 2 * len(texts) * text_size(planes)
    left, top, _, _ = map(round, upright_box(planes, box))
    write_lines(planes, texts, max(0, left), top if top >= needed else max(0, top) + needed, colour)


def label_of(face: FaceDecision) -> list[str]:
    """Return what stands at a face: its track and blur, and what was done with it."""
    track = "" if face.track_id is None else str(face.track_id)
    done = "restored" if face.restored else face.reason
    if face.gain is None or face.blur is None:
        return [f"{track}  {done}".strip()]
    return [f"{track}  blur {face.blur:.2f}".strip(), f"{done}, {face.gain:.1f} dB"]
