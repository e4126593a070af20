"""Sets with the 68-point mark-up, as they come: 300VW (videos), 300-W, Helen and the like (pictures)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Points
from streamdeblur.evaluation.sources.annotations import marked_box, read_points
from streamdeblur.evaluation.sources.cutting import Video
from streamdeblur.evaluation.sources.dataset import Clip, DataSet, Face, Still, make_data_set
from streamdeblur.evaluation.sources.files import file_names, find_files
from streamdeblur.evaluation.sources.pictures import face_in, read_picture
from streamdeblur.training.datasets.pictures import PICTURES
from streamdeblur.training.datasets.tracks import upright_frames
from streamdeblur.video.planes import Planes

VIDEO, MARKS = "vid.avi", "annot"
"""In the folder of each video of 300VW: the video, and the folder of its mark-up, ``000001.pts`` being that of the first
frame."""


def has_300vw(path: Path) -> bool:
    """Whether this is the folder of 300VW, or of one of its videos."""
    return any(video.with_name(MARKS).is_dir() for video in _videos(path))


def open_300vw(path: Path) -> DataSet:
    """Open 300VW (Shen et al. 2015): ``NNN/vid.avi`` and ``NNN/annot/000001.pts``.

    A clip is a run of marked frames that a window of twice the face covers while it stands still. Each video is taken for a
    person.

    Raises:
        InputError: none of it can be used.
    """
    bad: dict[str, str] = {}
    clips: list[Clip] = []
    for file in _videos(path):
        try:
            clips += _video(file, bad).clips()
        except InputError as error:
            bad[str(file)] = str(error)
    return make_data_set(path, "300VW", bad, clips=clips)


def _videos(path: Path) -> list[Path]:
    return sorted([*path.glob(VIDEO), *path.glob(f"*/{VIDEO}")])


def _video(file: Path, bad: dict[str, str]) -> Video:
    points: dict[int, NDArray[np.float64]] = {}
    for marks in sorted(file.with_name(MARKS).glob("*.pts")):
        try:
            points[int(marks.stem) - 1] = read_points(marks)
        except ValueError:
            bad[str(marks)] = "its name is no number of a frame"
        except InputError as error:
            bad[str(marks)] = str(error)
    first = next(_frames(file, 0, 1))
    boxes = {number: marked_box(marked) for number, marked in points.items()}
    name = file.resolve().parent.name
    return Video(name, name, first.width, first.height, boxes, points, partial(_frames, file))


def _frames(file: Path, begin: int, end: int) -> Iterator[Planes]:
    # read from the start, for time stamps of AVI files are no safe way to a frame of a certain number
    for planes, _ in islice(upright_frames(file), begin, end):
        yield planes


def has_marked_pictures(path: Path) -> bool:
    """Whether this is a folder of ``.pts`` files."""
    return path.is_dir() and bool(find_files(path, {".pts"})[1])


def open_marked_pictures(path: Path) -> DataSet:
    """Open pictures that have a ``.pts`` file of 68 points of the same name each, also in subfolders.

    The face box is that of the points, raised over the forehead (`marked_box`), as the detector would have it.

    Raises:
        InputError: none of them can be used.
    """
    bad: dict[str, str] = {}
    stills = []
    _, files = find_files(path, {".pts"})
    for name, marks in zip(file_names(files, path), files, strict=True):
        picture = next((found for suffix in PICTURES if (found := marks.with_suffix(suffix)).is_file()), None)
        try:
            points = read_points(marks)
        except InputError as error:
            bad[str(marks)] = str(error)
            continue
        if picture is None:
            bad[str(marks)] = "there is no picture of this name"
        else:
            stills.append(Still(name, partial(_face, picture, points)))
    return make_data_set(path, "pictures with 68 points", bad, stills=stills)


def _face(file: Path, points: Points) -> Face:
    return face_in(read_picture(file), marked_box(points), points)
