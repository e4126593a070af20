"""What other programs see in a face: 68 landmarks and an identity, by dlib's models (extra `eval`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.metrics.dlib_models import DlibEmbedder, DlibLandmarkDetector
from streamdeblur.evaluation.metrics.identity import cosine
from streamdeblur.evaluation.metrics.landmarks import landmark_error as error_of_points

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Recognised:
    """One face as dlib sees it."""

    landmarks: NDArray[np.float64]
    """float64 [68, 2], x and y in pixels."""
    embedding: NDArray[np.float64]
    """float64 [128], of length 1."""


class Recogniser:
    """dlib's 68-point predictor and its face embedding, on crops whose face is in their middle."""

    def __init__(self) -> None:
        """
        Raises:
            ImportError: dlib or its models are not installed.
        """
        try:
            self._localise, self._embed = DlibLandmarkDetector(), DlibEmbedder()
        except OptionError as error:
            raise ImportError(str(error)) from None

    def __call__(self, crop: Image) -> Recognised:
        """crop: uint8 RGB [S, S, 3], a face window."""
        landmarks = self._localise(crop)
        return Recognised(landmarks, self._embed(crop, landmarks))


def landmark_error(seen: Recognised, true: Recognised) -> float:
    """See `metrics.landmarks.landmark_error`."""
    return error_of_points(seen.landmarks, true.landmarks)


def identity_cosine(seen: Recognised, true: Recognised) -> float:
    """Cosine of two embeddings."""
    return cosine(seen.embedding, true.embedding)
