"""FrameView: what the output of a video job shows: the restored frame, its faces drawn into it, or the input beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from streamdeblur.faces.decision import FaceDecision
from streamdeblur.faces.drawn import draw_faces
from streamdeblur.faces.window import crop_region
from streamdeblur.options import VideoOptions
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.drawing import draw_picture
from streamdeblur.video.planes import frame_planes, upright_planes
from streamdeblur.video.side_by_side import side_by_side

if TYPE_CHECKING:
    import av

LARGEST_ZOOM = 6.0
MARGIN = 0.2
"""Around the windows of the faces, in units of the part of the frame that encloses them."""
FOLLOWED = 0.08
"""Share of the way to the faces that the zoom moves in a frame."""


class FrameView:
    """Makes the frames of an output, one after the other."""

    def __init__(self, options: VideoOptions) -> None:
        """`options`: what is shown."""
        self.needs_input = options.side_by_side
        self._show_faces, self._zooms = options.show_faces, options.zoom == "faces"
        self.begin_segment()

    def begin_segment(self) -> None:
        """Forget the frames so far: a segment is shown as where it is restored apart from those before it."""
        self._zoom = FaceZoom() if self._zooms else None

    def frame(self, before: av.VideoFrame | None, after: av.VideoFrame, faces: Sequence[FaceDecision]) -> av.VideoFrame:
        """Return the frame to write.

        Args:
            before: The input, where it is needed.
            after: The restored frame; faces may be drawn into it.
            faces: What was done with its faces.
        """
        if self._show_faces and faces:
            after.make_writable()
            draw_faces(upright_planes(after), faces)
        if before is None:
            return after
        if self._zoom is not None:
            region = self._zoom.region(faces, after.width, after.height)
            before, after = _enlarged(before, region), _enlarged(after, region)
        return side_by_side(before, after)


def _enlarged(frame: av.VideoFrame, region: tuple[float, float, float, float]) -> av.VideoFrame:
    """A region of a frame (left, top, width, height), enlarged to its size."""
    whole = copy_frame(frame)
    out = np.empty((frame.height, frame.width, 3), np.uint8)
    draw_picture(frame_planes(whole), crop_region(frame_planes(frame), *region, out), 0, 0)
    return whole


class FaceZoom:
    """The part of a frame that holds its faces, which it follows smoothly; after a cut, it is where they are at once."""

    def __init__(self) -> None:
        self._region: tuple[float, float, float] | None = None
        """Centre and width of the part; None before the first face."""

    def region(self, faces: Sequence[FaceDecision], width: int, height: int) -> tuple[float, float, float, float]:
        """Return the part of the next frame to show: left, top, width and height in pixels, in the proportions of the frame.

        Args:
            faces: Those of the frame. Faces that are not chosen are not looked for.
            width: Of the frame in pixels.
            height: Of the frame in pixels.
        """
        wanted = _enclosing([face for face in faces if face.reason != "not chosen"], width, height)
        before, self._region = self._region, wanted or self._region or (width / 2, height / 2, float(width))
        if before is not None and wanted is not None and abs(wanted[0] - before[0]) < (wanted[2] + before[2]) / 2:
            x, y, across = (old + FOLLOWED * (new - old) for old, new in zip(before, wanted, strict=True))
            self._region = x, y, across
        x, y, across = self._region
        across = min(across, width)
        down = across * height / width
        left, top = min(max(x - across / 2, 0.0), width - across), min(max(y - down / 2, 0.0), height - down)
        return left, top, across, down


def _enclosing(faces: Sequence[FaceDecision], width: int, height: int) -> tuple[float, float, float] | None:
    """Centre and width of the part of a frame around the windows of faces; None without any."""
    if not faces:
        return None
    windows = [face.window for face in faces]
    left, top = min(w.left for w in windows), min(w.top for w in windows)
    right, bottom = max(w.left + w.side for w in windows), max(w.top + w.side for w in windows)
    across = (1 + MARGIN) * max(right - left, (bottom - top) * width / height)
    return (left + right) / 2, (top + bottom) / 2, max(across, width / LARGEST_ZOOM)
