"""Detection of faces while a data set is made."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.detect import Detector, open_detector
from streamdeblur.faces.face import Face
from streamdeblur.faces.find import FaceFinder

OVERVIEW = 320
"""Longer side in pixels of the smallest view in which faces are detected."""
VIEW = 128
"""Side of the picture of a crop in which its face is found again: the face is about 64 px of it."""


@lru_cache(maxsize=1)
def shared_detector(name: str) -> Detector:
    """Open the detector of this name once per process. Raises DetectorError."""
    return open_detector(name)


def open_finder(detector: Detector, width: int, height: int, min_face: float) -> FaceFinder:
    """Open a finder for pictures of width x height, of faces of `min_face` pixels and somewhat smaller ones."""
    # in a view of less than OVERVIEW pixels, detectors miss even large faces
    return FaceFinder(detector, min_face=min(0.8 * min_face, detector.smallest_face * max(width, height) / OVERVIEW))


def redetect(picture: NDArray[np.uint8], expected: NDArray[np.floating], detector: Detector) -> Face | None:
    """Detect the face of a crop again.

    Args:
        picture: The crop, uint8 RGB [S, S, 3].
        expected: Box where the face is expected, in pixels of the crop.
        detector: Detects faces.

    Returns:
        The face nearest to `expected`; None where it is not detected.
    """
    view = cv2.resize(picture, (VIEW, VIEW), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    faces = [face.moved(VIEW / len(picture), 0.0, 0.0) for face in detector.detect(view)]
    size = float((expected[2:] - expected[:2]).max())

    def distance(face: Face) -> float:
        return float(np.hypot(*((face.box[:2] + face.box[2:]) - (expected[:2] + expected[2:])))) / (2 * size)

    near = [face for face in faces if distance(face) < 0.5 and 0.6 < face.size / size < 1.6]
    return min(near, key=distance) if near else None
