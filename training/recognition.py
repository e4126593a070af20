"""What other programs see in a face: 68 landmarks and an identity, by dlib's models (extra `eval`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.window import WINDOW_SCALE

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Recognised:
    """One face as dlib sees it."""

    landmarks: NDArray[np.float64]
    """float64 [68, 2], x and y in pixels."""
    embedding: NDArray[np.float64]
    """float64 [128], of length 1."""


class Recogniser:
    """dlib's 68-point predictor (Kazemi & Sullivan 2014) and its face embedding, on crops whose face is in their middle."""

    def __init__(self) -> None:
        """
        Raises:
            ImportError: dlib or its models are not installed.
        """
        import dlib
        import face_recognition_models as models

        self._dlib = dlib
        self._predictor = dlib.shape_predictor(models.pose_predictor_model_location())
        self._embedder = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    def __call__(self, crop: Image) -> Recognised:
        """crop: uint8 RGB [S, S, 3], a face window."""
        side = crop.shape[0]
        margin = round(side * (1 - 1 / WINDOW_SCALE) / 2)
        box = self._dlib.rectangle(margin, margin, side - margin, side - margin)
        pixels = np.ascontiguousarray(crop)
        shape = self._predictor(pixels, box)
        embedding = np.array(self._embedder.compute_face_descriptor(pixels, shape))
        landmarks = np.array([(point.x, point.y) for point in shape.parts()], np.float64)
        return Recognised(landmarks, embedding / np.linalg.norm(embedding))


def landmark_error(seen: Recognised, true: Recognised) -> float:
    """Mean distance of the 68 points, in shares of the diagonal of the box around the true ones (Sec. 5.2)."""
    diagonal = float(np.linalg.norm(true.landmarks.max(0) - true.landmarks.min(0)))
    return float(np.linalg.norm(seen.landmarks - true.landmarks, axis=1).mean()) / diagonal


def identity_cosine(seen: Recognised, true: Recognised) -> float:
    """Cosine of two embeddings."""
    return float(seen.embedding @ true.embedding)
