"""Data sets with 68 annotated landmarks, as distributed: 300VW (videos), 300-W, Helen and others (pictures)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Points
from streamdeblur.evaluation.sources.annotated_video import AnnotatedVideo
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationClip, EvaluationFace, EvaluationStill, make_data_set
from streamdeblur.evaluation.sources.files import file_names, find_files
from streamdeblur.evaluation.sources.pictures import face_in, read_picture
from streamdeblur.evaluation.sources.pts import face_box_of, read_points
from streamdeblur.training.datasets.pictures import PICTURES
from streamdeblur.training.datasets.tracks import upright_frames
from streamdeblur.video.planes import Planes

VIDEO, ANNOTATIONS = "vid.avi", "annot"
"""In each folder of 300VW: the video, and the folder of its annotations; ``000001.pts`` is that of the first frame."""


def has_300vw(path: Path) -> bool:
    """Return whether this is the folder of 300VW, or of one of its videos."""
    return any(video.with_name(ANNOTATIONS).is_dir() for video in _videos(path))


def open_300vw(path: Path) -> DataSet:
    """Open 300VW (Shen et al. 2015): ``NNN/vid.avi`` and ``NNN/annot/000001.pts``.

    A clip is a sequence of annotated frames whose face a window of twice its size covers without moving. Each video counts as a
    person.

    Raises:
        InputError: None of it can be used.
    """
    bad: dict[str, str] = {}
    clips: list[EvaluationClip] = []
    for file in _videos(path):
        try:
            clips += _video(file, bad).clips()
        except InputError as error:
            bad[str(file)] = str(error)
    return make_data_set(path, "300VW", bad, clips=clips)


def _videos(path: Path) -> list[Path]:
    return sorted([*path.glob(VIDEO), *path.glob(f"*/{VIDEO}")])


def _video(file: Path, bad: dict[str, str]) -> AnnotatedVideo:
    points: dict[int, NDArray[np.float64]] = {}
    for annotation in sorted(file.with_name(ANNOTATIONS).glob("*.pts")):
        try:
            points[int(annotation.stem) - 1] = read_points(annotation)
        except ValueError:
            bad[str(annotation)] = "file name is not a frame number"
        except InputError as error:
            bad[str(annotation)] = str(error)
    first = next(_frames(file, 0, 1))
    boxes = {number: face_box_of(annotated) for number, annotated in points.items()}
    name = file.resolve().parent.name
    return AnnotatedVideo(name, name, first.width, first.height, boxes, points, partial(_frames, file))


def _frames(file: Path, begin: int, end: int) -> Iterator[Planes]:
    # read from the start: the time stamps of AVI files do not lead reliably to a frame of a certain number
    for planes, _ in islice(upright_frames(file), begin, end):
        yield planes


def has_annotated_pictures(path: Path) -> bool:
    """Return whether this is a folder of ``.pts`` files."""
    return path.is_dir() and bool(find_files(path, {".pts"})[1])


def open_annotated_pictures(path: Path) -> DataSet:
    """Open pictures with a ``.pts`` file of 68 points of the same name each, also in subfolders.

    The face box is that of the points, extended over the forehead as the detector's boxes are (`face_box_of`).

    Raises:
        InputError: None of them can be used.
    """
    bad: dict[str, str] = {}
    stills = []
    _, files = find_files(path, {".pts"})
    for name, annotation in zip(file_names(files, path), files, strict=True):
        picture = next((found for suffix in PICTURES if (found := annotation.with_suffix(suffix)).is_file()), None)
        try:
            points = read_points(annotation)
        except InputError as error:
            bad[str(annotation)] = str(error)
            continue
        if picture is None:
            bad[str(annotation)] = "no picture of this name"
        else:
            stills.append(EvaluationStill(name, partial(_face, picture, points)))
    return make_data_set(path, "pictures with 68 points", bad, stills=stills)


def _face(file: Path, points: Points) -> EvaluationFace:
    return face_in(read_picture(file), face_box_of(points), points)
