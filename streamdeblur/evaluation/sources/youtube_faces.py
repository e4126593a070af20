"""YouTube Faces as distributed (Wolf et al. 2011): frames of videos of 1,595 people, and 5,000 comparisons in ten folds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.sources.annotated_video import SHORTEST, AnnotatedVideo, consecutive_ranges
from streamdeblur.evaluation.sources.dataset import ClipFrames, DataSet, EvaluationClip, make_data_set
from streamdeblur.evaluation.sources.files import read_lines, safe_name
from streamdeblur.evaluation.sources.pictures import face_in, read_picture
from streamdeblur.evaluation.sources.viola_jones import box_of, cropped_box
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.training.datasets.clip_windows import LONGEST
from streamdeblur.video.planes import Planes, array_planes

WHOLE, ALIGNED = "frame_images_DB", "aligned_images_DB"
SPLITS = ("splits.txt", "splits_corrected.txt")
LABELS = ".labeled_faces.txt"
NUMBER = re.compile(r"\.(\d+)\.jpg$", re.IGNORECASE)
"""The number of a frame in its file's name: ``3.618.jpg``, ``aligned_detect_3.618.jpg``."""


def has_youtube_faces(path: Path) -> bool:
    """Return whether this folder holds the data of YouTube Faces."""
    return any((path / name).is_dir() for name in (WHOLE, ALIGNED))


def open_youtube_faces(path: Path) -> DataSet:
    """Open ``frame_images_DB`` (frames ``NAME/K/K.FRAME.jpg``, face boxes in ``NAME.labeled_faces.txt``) or, without it,
    ``aligned_images_DB`` (``NAME/K/aligned_detect_K.FRAME.jpg``); with ``splits.txt`` beside them, the comparisons.

    Raises:
        InputError: None of it can be used.
    """
    bad: dict[str, str] = {}
    whole = (path / WHOLE).is_dir()
    clips = list(_whole(path / WHOLE, bad) if whole else _aligned(path / ALIGNED))
    splits = next((file for name in SPLITS if (file := path / name).is_file()), None)
    known = {clip.group for clip in clips}
    listed = _comparisons(splits) if splits else []
    comparisons = [one for one in listed if one.first in known and one.second in known]
    if len(comparisons) < len(listed):
        bad[str(splits)] = f"{len(listed) - len(comparisons)} of {len(listed)} comparisons are of videos that are missing"
    kind = f"YouTube Faces, {WHOLE if whole else ALIGNED}"
    return make_data_set(path, kind, bad, clips=clips, comparisons=comparisons)


def _comparisons(splits: Path) -> list[Comparison]:
    """Each line holds: fold, number, first video, second video, similarity of the names, whether they show the same person."""
    comparisons = []
    for number, line in enumerate(read_lines(splits)[1:], 2):
        row = [value.strip() for value in line.split(",")]
        try:
            comparisons.append(Comparison(int(row[0]), safe_name(row[2]), safe_name(row[3]), bool(int(row[5]))))
        except (ValueError, IndexError):
            raise InputError(f"{splits}, line {number}, is not a comparison: '{line}'.") from None
    return comparisons


def _whole(folder: Path, bad: dict[str, str]) -> Iterator[EvaluationClip]:
    for labels in sorted(folder.glob(f"*{LABELS}")):
        try:
            videos = _labelled(labels)
        except InputError as error:
            bad[str(labels)] = str(error)
            continue
        name = labels.name.removesuffix(LABELS)
        for video, boxes in videos.items():
            files = folder / name / video
            try:
                first = read_picture(files / _file(video, min(boxes)))
            except InputError as error:
                bad[str(files)] = str(error)
                continue
            height, width = first.shape[:2]
            yield from AnnotatedVideo(
                safe_name(f"{name}/{video}"), name, width, height, boxes, {}, partial(_frames, files)
            ).clips()


def _labelled(labels: Path) -> dict[str, dict[int, NDArray[np.float64]]]:
    """Face boxes by video and frame. Each line holds: file, -, x and y of the centre, width, height, -, -."""
    videos: dict[str, dict[int, NDArray[np.float64]]] = defaultdict(dict)
    for line in read_lines(labels):
        row = line.split(",")
        try:
            video, file = row[0].replace("\\", "/").split("/")[-2:]
            number = int(NUMBER.findall(file)[0])
            x, y, width, height = (float(value) for value in row[2:6])
        except (ValueError, IndexError):
            raise InputError(f"a line is not a face: '{line}'") from None
        videos[video][number] = box_of(x, y, max(width, height))
    return videos


def _file(video: str, number: int) -> str:
    return f"{video}.{number}.jpg"


def _frames(folder: Path, begin: int, end: int) -> Iterator[Planes]:
    for number in range(begin, end):
        yield array_planes(read_picture(folder / _file(folder.name, number)))


def _aligned(folder: Path) -> Iterator[EvaluationClip]:
    for video in sorted(folder.glob("*/*/")):
        numbered = {int(found[1]): file for file in video.iterdir() if (found := NUMBER.search(file.name))}
        name = safe_name(video.relative_to(folder).as_posix())
        for begin, end in consecutive_ranges(sorted(numbered), LONGEST):
            files = [numbered[number] for number in range(begin, end)]
            if len(files) >= SHORTEST:
                yield EvaluationClip(f"{name}/{begin:06d}", partial(_cropped, files), video.parent.name, name)


def _cropped(files: list[Path]) -> ClipFrames:
    """Crop each frame by itself: these pictures follow the face and differ in size."""
    frames = np.empty((len(files), CROP_SIZE, CROP_SIZE, 3), np.uint8)
    for number, file in enumerate(files):
        picture = read_picture(file)
        frames[number] = face_in(picture, cropped_box(*picture.shape[:2])).crop
    edge = CROP_SIZE / WINDOW_SCALE / 2
    box = np.array([-edge, -edge, edge, edge], np.float32) + CROP_SIZE / 2
    return ClipFrames(frames, np.tile(box, (len(files), 1)))
