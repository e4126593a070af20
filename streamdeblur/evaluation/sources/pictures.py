"""Pictures: crops of faces, and photographs whose largest face is detected."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationFace, EvaluationStill, make_data_set
from streamdeblur.evaluation.sources.files import file_names, find_files, person_of, read_identities
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE, FaceWindow, crop
from streamdeblur.training.datasets.face_detection import open_finder, shared_detector
from streamdeblur.training.datasets.pictures import PICTURES, decode_picture
from streamdeblur.video.planes import array_planes

DETECTOR = "centerface"
"""Finds faces that are not annotated."""
MIN_FACE = 48.0
"""Smallest face in pixels that is detected in a photograph; its window is enlarged threefold."""
REFERENCE = "reference"
"""Name, without suffix, of the sharp reference of all other pictures in a folder."""


def has_pictures(path: Path) -> bool:
    """Return whether this is a picture, or a folder of some."""
    return path.suffix.lower() in PICTURES if path.is_file() else bool(find_files(path, PICTURES)[1])


def open_pictures(path: Path) -> DataSet:
    """Open a picture, or a folder of pictures with its subfolders.

    A picture of 256 x 256 px is taken as the crop of a face; of any other the largest face is detected. ``reference.png`` (or
    .jpg) in a folder is a sharp picture of the person in all others there. Identities come from ``FOLDER.csv`` beside the folder
    (columns file and identity), else each first subfolder is a person.

    Raises:
        InputError: There are none.
    """
    root, files = find_files(path, PICTURES)
    tested = [file for file in files if file.stem != REFERENCE]
    identities = read_identities(root)
    stills = [
        EvaluationStill(name, partial(read_face, file), person_of(identities.of(file.relative_to(root))), find_reference(file))
        for name, file in zip(file_names(tested, root), tested, strict=True)
    ]
    return make_data_set(path, "pictures", {}, stills=stills)


def find_reference(file: Path) -> EvaluationStill | None:
    """Find the sharp reference beside a file: ``reference.png``, or with another suffix of a picture."""
    candidates = (file.with_name(REFERENCE + suffix) for suffix in PICTURES)
    return next((EvaluationStill(REFERENCE, partial(read_face, found)) for found in candidates if found.is_file()), None)


def read_picture(file: Path) -> Image:
    """Read a picture, upright by its EXIF orientation: uint8 RGB [H, W, 3].

    Raises:
        InputError: It cannot be read; the message names the file.
    """
    try:
        return decode_picture(file.read_bytes())
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    except InputError as error:
        raise InputError(f"Cannot use {file}: {error}.") from None


def read_face(file: Path) -> EvaluationFace:
    """Read the face of a picture: the picture itself if it is a crop, else the crop of its largest face.

    Raises:
        InputError: The picture cannot be read, or has no face.
    """
    picture = read_picture(file)
    if picture.shape == (CROP_SIZE, CROP_SIZE, 3):
        return EvaluationFace(picture)
    height, width = picture.shape[:2]
    tracks = open_finder(shared_detector(DETECTOR), width, height, MIN_FACE).update(array_planes(picture))
    if not tracks:
        raise InputError(f"No face of {MIN_FACE:.0f} pixels was found in {file}.")
    return face_in(picture, max(tracks, key=lambda track: track.size).box)


def face_in(picture: Image, box: NDArray[np.floating], points: Points | None = None) -> EvaluationFace:
    """Crop a face as a restoration does: a square of 1.7 times the face box, resampled to 256 px, with the border repeated.

    Args:
        picture: uint8 RGB [H, W, 3].
        box: The face box x0, y0, x1, y1 in pixels.
        points: Annotated landmarks, float64 [68, 2] in pixels of the picture.
    """
    window = FaceWindow.around(box, WINDOW_SCALE)
    landmarks = None if points is None else points_in(points, window.left, window.top, CROP_SIZE / window.side)
    return EvaluationFace(crop(array_planes(picture), window), landmarks)


def points_in(points: NDArray[np.floating], left: float, top: float, scale: float) -> Points:
    """Convert points [..., 2] from pixels of a picture to pixels of a part of it that begins at (left, top), enlarged by `scale`.

    Position 0 is the centre of the first pixel, as for landmark detectors; edges are half a pixel before it.
    """
    return np.asarray((np.asarray(points, np.float64) + 0.5 - (left, top)) * scale - 0.5, np.float64)
