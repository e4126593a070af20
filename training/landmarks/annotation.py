"""Landmarks of the faces to train on: found by another detector in several views of each face, whose mean is taken.

A detector that finds other points in a mirrored, turned or moved picture is wrong in some of them, so the faces on which it
agrees with itself least are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Points
from streamdeblur.evaluation.metrics.face_views import mapped_back
from streamdeblur.evaluation.metrics.heatmap_landmarks import POINTS, mirrored_points
from streamdeblur.evaluation.metrics.landmark_detectors import LandmarkDetector
from streamdeblur.evaluation.metrics.landmarks import landmark_error
from streamdeblur.partial_file import PartialFile

Image = NDArray[np.uint8]

PROGRESS = 250
VIEWS = (
    # degrees, scale, shift in x and y as a share of the side, mirrored
    (0.0, 1.0, 0.0, 0.0, False),
    (0.0, 1.0, 0.0, 0.0, True),
    (8.0, 0.85, 0.03, -0.03, False),
    (-8.0, 0.9, -0.03, 0.03, True),
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Annotations:
    """What a teacher found in faces."""

    points: NDArray[np.float32]
    """[N, 68, 2] in pixels of the windows: means over the views."""
    disagreement: NDArray[np.float32]
    """[N]: mean error of the views to their mean, as a fraction of the size of the face."""

    def best(self, share: float) -> NDArray[np.int64]:
        """Return the numbers of the faces on which the teacher agrees with itself best."""
        return np.flatnonzero(self.disagreement <= np.quantile(self.disagreement, share))


def annotate(faces: Sequence[Image], teacher: LandmarkDetector) -> Annotations:
    """Find the landmarks of faces with a teacher."""
    points, disagreement = np.empty((len(faces), POINTS, 2), np.float32), np.empty(len(faces), np.float32)
    for number in range(len(faces)):
        found = in_views(faces[number], teacher)
        points[number] = mean = np.mean(found, 0)
        disagreement[number] = np.mean([landmark_error(one, mean) for one in found])
        if number % PROGRESS == 0:
            logger.info("%d of %d faces annotated", number, len(faces))
    return Annotations(points, disagreement)


def in_views(face: Image, detector: LandmarkDetector) -> list[Points]:
    """Return the landmarks that a detector finds in the views of a face, each [68, 2] in pixels of the face's window."""
    side, found = face.shape[0], []
    for angle, scale, x, y, mirror in VIEWS:
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
        matrix[:, 2] += x * side, y * side
        view = cv2.warpAffine(face, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        points = detector(np.ascontiguousarray(view[:, ::-1] if mirror else view, np.uint8))
        found.append(mapped_back(mirrored_points(points, side) if mirror else points, np.asarray(matrix, np.float64)))
    return found


def read_or_annotate(file: Path, faces: Sequence[Image], digest: str, teacher: LandmarkDetector) -> Annotations:
    """Read what a teacher found in faces before; otherwise find it and keep it.

    Args:
        file: Where it is kept.
        faces: The faces.
        digest: Tells which faces they are.
        teacher: The detector that annotates them.

    Raises:
        OutputError: The file cannot be written.
    """
    source = f"{digest}; {teacher.fingerprint}"
    if file.exists():
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["source"]) == source:
                return Annotations(stored["points"], stored["disagreement"])
    made = annotate(faces, teacher)
    with PartialFile(file) as partial, partial.open("wb") as content:
        np.savez(content, points=made.points, disagreement=made.disagreement, source=np.array(source))
    return made
