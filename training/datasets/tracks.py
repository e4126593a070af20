"""First pass over a video: which faces are where, from when to when, and which frames only repeat the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.faces.detect import Detector
from streamdeblur.training.datasets.face_detection import open_finder
from streamdeblur.training.datasets.frame_changes import Change, ChangeMeter, PictureArea, cuts, luma_of, repeats
from streamdeblur.video.planes import Planes, array_planes, upright_planes
from streamdeblur.video.reader import Reader

if TYPE_CHECKING:
    import av

MISSED = 3
"""Most sequential frames of a run without a detection: with many faces, the finder detects them in turns."""
OUTSIDE = 0.03
"""Fraction of its size by which a face box may lie outside the frame; beyond that the face is cut off."""
HDR = {16: "PQ", 18: "HLG"}
"""Transfer characteristics (H.273) whose code values are not SDR."""


@dataclass(eq=False)
class TrackRun:
    """One face in consecutive frames of one shot."""

    track: int
    begin: int
    """Index of its first frame in the video."""
    boxes: list[NDArray[np.float64]] = field(default_factory=list)
    """x0, y0, x1, y1 in pixels of the upright frame, for each frame."""

    @property
    def end(self) -> int:
        """Index after its last frame."""
        return self.begin + len(self.boxes)


@dataclass(frozen=True, eq=False)
class Survey:
    """What the first pass found."""

    picture: tuple[int, int, int, int]
    """Left, top, right and bottom of the upright frames' picture, without black bars."""
    times: list[float]
    """Seconds of each frame."""
    runs: list[TrackRun]
    repeated: frozenset[int]
    """Frames that repeat the one before."""


def upright_frames(path: Path) -> Iterator[tuple[Planes, float]]:
    """Decode the frames of a video, turned upright, each with its time in seconds. Damaged parts are skipped.

    Raises:
        InputError: The video cannot be read, or its frames cannot be learned from (interlaced, HDR).
    """
    import av

    reader = Reader(path)
    try:
        for item in reader:
            if isinstance(item, av.VideoFrame):
                # the planes are views of the frame, which stays alive while this generator is suspended
                yield upright(item, path), float(item.time or 0.0)
    finally:
        reader.close()


def upright(frame: av.VideoFrame, path: Path) -> Planes:
    """Return a frame of the video `path` turned upright; without rotation, views of the frame itself.

    Raises:
        InputError: The frame is interlaced or HDR.
    """
    if frame.interlaced_frame:
        raise InputError(f"{path.name} is interlaced: each frame shows two moments. Deinterlace it first (ffmpeg -vf bwdif).")
    if int(frame.color_trc) in HDR:
        raise InputError(f"{path.name} is HDR ({HDR[int(frame.color_trc)]}). Convert it to SDR first.")
    planes = upright_planes(frame)
    if not planes.turn:
        return planes
    from streamdeblur.faces.window import whole_picture

    return array_planes(whole_picture(planes))


def survey(path: Path, detector: Detector, min_face: float) -> Survey:
    """Find and track the faces of a video.

    Args:
        path: The video.
        detector: Detects faces.
        min_face: Size in pixels of the smallest face.

    Raises:
        InputError: The video cannot be read.
    """
    changes, times, done = list[Change](), list[float](), list[TrackRun]()
    extent = PictureArea()
    open_runs: dict[int, TrackRun] = {}
    finder, change = None, ChangeMeter()
    width = height = 0
    for number, (planes, time) in enumerate(upright_frames(path)):
        if finder is None:
            width, height = planes.width, planes.height
            finder = open_finder(detector, width, height, min_face)
        elif (planes.width, planes.height) != (width, height):
            raise InputError(f"{path.name} changes its size from {width} x {height} to {planes.width} x {planes.height}.")
        times.append(time)
        luma = luma_of(planes)
        changes.append(change(luma))
        extent.add(luma)
        tracked = {
            track.track_id: track.box
            for track in finder.update(planes)
            if track.undetected <= MISSED and is_whole(track.box, width, height)
        }
        done += [open_runs.pop(track) for track in list(open_runs) if track not in tracked]
        for track, box in tracked.items():
            open_runs.setdefault(track, TrackRun(track, number)).boxes.append(box)
    shots = cuts(np.array([c.overview for c in changes]))
    runs = [piece for run in [*done, *open_runs.values()] for piece in _split(run, shots)]
    runs.sort(key=lambda run: (run.begin, run.track))
    return Survey(extent.picture(), times, runs, repeats(np.array([c.block for c in changes])))


def is_whole(box: NDArray[np.float64], width: int, height: int) -> bool:
    """Check whether a face box, x0, y0, x1, y1 in pixels, lies in the frame, with some tolerance."""
    outside = max(-box[0], -box[1], box[2] - width, box[3] - height)
    return bool(outside <= OUTSIDE * max(box[2] - box[0], box[3] - box[1]))


def _split(run: TrackRun, at: frozenset[int]) -> list[TrackRun]:
    """Split a run into pieces that begin at these frames."""
    begins = [run.begin, *sorted(n for n in at if run.begin < n < run.end)]
    ends = [*begins[1:], run.end]
    return [TrackRun(run.track, b, run.boxes[b - run.begin : e - run.begin]) for b, e in zip(begins, ends, strict=True)]
