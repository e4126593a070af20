"""Pictures: crops of faces as they are, and photographs whose largest face is found."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.evaluation.sources.dataset import DataSet, Face, Still, make_data_set
from streamdeblur.evaluation.sources.files import file_names, find_files, person, read_identities
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE, FaceWindow, crop
from streamdeblur.training.datasets.finding import open_finder, shared_detector
from streamdeblur.training.datasets.pictures import PICTURES, decode_picture
from streamdeblur.video.planes import array_planes

DETECTOR = "centerface"
"""Finds faces where nobody marked them."""
MIN_FACE = 48.0
"""Smallest face in pixels that is looked for in a photograph: its window is enlarged by 3."""
REFERENCE = "reference"
"""Name, without suffix, of the picture in a folder that is the sharp reference of all others in it."""


def has_pictures(path: Path) -> bool:
    """Whether this is a picture, or a folder of some."""
    return path.suffix.lower() in PICTURES if path.is_file() else bool(find_files(path, PICTURES)[1])


def open_pictures(path: Path) -> DataSet:
    """Open a picture, or a folder of pictures with its subfolders.

    One of 256 x 256 is a crop already; of any other the largest face is taken. ``reference.png`` (or .jpg ...) in a folder is a
    sharp picture of the person in all others there. Identities come from ``FOLDER.csv`` beside the folder (columns file and
    identity), else a first subfolder is a person.

    Raises:
        InputError: there are none.
    """
    root, files = find_files(path, PICTURES)
    tested = [file for file in files if file.stem != REFERENCE]
    identities = read_identities(root)
    stills = [
        Still(name, partial(read_face, file), person(identities.of(file.relative_to(root))), find_reference(file))
        for name, file in zip(file_names(tested, root), tested, strict=True)
    ]
    return make_data_set(path, "pictures", {}, stills=stills)


def find_reference(file: Path) -> Still | None:
    """The sharp picture that lies beside a file: ``reference.png``, or of any other kind of picture."""
    candidates = (file.with_name(REFERENCE + suffix) for suffix in PICTURES)
    return next((Still(REFERENCE, partial(read_face, found)) for found in candidates if found.is_file()), None)


def read_picture(file: Path) -> Image:
    """A picture, upright by its EXIF orientation: uint8 RGB [H, W, 3]. Raises InputError, which names the file."""
    try:
        return decode_picture(file.read_bytes())
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    except InputError as error:
        raise InputError(f"Cannot use {file}: {error}.") from None


def read_face(file: Path) -> Face:
    """The crop that a picture is, or that of its largest face. Raises InputError where there is none."""
    picture = read_picture(file)
    if picture.shape == (CROP_SIZE, CROP_SIZE, 3):
        return Face(picture)
    height, width = picture.shape[:2]
    tracks = open_finder(shared_detector(DETECTOR), width, height, MIN_FACE).update(array_planes(picture))
    if not tracks:
        raise InputError(f"No face of {MIN_FACE:.0f} pixels was found in {file}.")
    return face_in(picture, max(tracks, key=lambda track: track.size).box)


def face_in(picture: Image, box: NDArray[np.floating], points: Points | None = None) -> Face:
    """The face of a picture, uint8 RGB [H, W, 3], in this box (x0, y0, x1, y1 in pixels), as the product would crop it: a square
    of 1.7 times its longer side, resampled to 256 px; beyond the border the border is repeated.

    points: its landmarks in the picture, float64 [68, 2].
    """
    window = FaceWindow.around(box, WINDOW_SCALE)
    marked = None if points is None else points_in(points, window.left, window.top, CROP_SIZE / window.side)
    return Face(crop(array_planes(picture), window), marked)


def points_in(points: NDArray[np.floating], left: float, top: float, scale: float) -> Points:
    """Points [..., 2] in a picture's pixels, in those of a part of it that begins at (left, top) and is enlarged by `scale`.

    Position 0 is the middle of the first pixel, where localisers have it; edges are half a pixel before.
    """
    return np.asarray((np.asarray(points, np.float64) + 0.5 - (left, top)) * scale - 0.5, np.float64)
