"""InsightFace's networks from a model pack that the user installed: 68 landmarks and ArcFace (Deng et al. 2019).

The weights are for research only and are not downloaded by this package; InsightFace stores packs in ``~/.insightface/models``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Embedding, Image, Points
from streamdeblur.faces.window import WINDOW_SCALE
from streamdeblur.onnx_session import open_on_cpu

PACKS = Path("~/.insightface/models")
LANDMARKS_FILE = "1k3d68.onnx"
"""The packs' network for 68 points; 2d106det.onnx has another annotation."""
ARCFACE_FILE = "w600k_r50.onnx"


def find_model(name: str) -> Path:
    """Find a file of this name in the model packs.

    Raises:
        OptionError: No pack has one.
    """
    found = sorted(Path(os.path.expanduser(PACKS)).glob(f"*/{name}"))
    if not found:
        raise OptionError(f"No model pack in {PACKS} has {name}. Give the file itself, such as insightface:FILE or arcface:FILE.")
    return found[0]


class InsightFaceLandmarkDetector:
    """The 68-point network of a pack; only x and y of its three coordinates are used."""

    name = "InsightFace, 68 points"

    def __init__(self, path: Path) -> None:
        """
        Raises:
            OptionError: The file cannot be read, or finds other points.
        """
        from insightface.model_zoo.landmark import Landmark

        self._model, self.fingerprint = _opened(path, Landmark)
        if (self._model.lmk_num, self._model.lmk_dim) != (68, 3):
            raise OptionError(f"{path} does not find 68 points in space. Give InsightFace's {LANDMARKS_FILE}.")

    def __call__(self, crop: Image) -> Points:
        from insightface.app.common import Face

        side = crop.shape[0]
        margin = side * (1 - 1 / WINDOW_SCALE) / 2
        box = np.array([margin, margin, side - margin, side - margin], np.float32)
        return np.asarray(self._model.get(crop[..., ::-1], Face(bbox=box))[:, :2], np.float64)


class ArcFace:
    """An ArcFace network, on faces that are aligned to 112 x 112 pixels by five points."""

    name = "InsightFace ArcFace"

    def __init__(self, path: Path) -> None:
        """
        Raises:
            OptionError: The file cannot be read, or is not such a network.
        """
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        self._model, self.fingerprint = _opened(path, ArcFaceONNX)
        if self._model.input_size != (112, 112):
            raise OptionError(f"{path} does not take faces of 112 x 112 pixels. Give an ArcFace network, such as {ARCFACE_FILE}.")

    def __call__(self, crop: Image, landmarks: Points) -> Embedding:
        from insightface.app.common import Face

        vector = np.asarray(self._model.get(crop[..., ::-1], Face(kps=five_points(landmarks))), np.float64)
        return vector / np.linalg.norm(vector)


def five_points(landmarks: Points) -> Points:
    """Compute the centres of the eyes, tip of the nose and corners of the mouth, float64 [5, 2], from the 68 points."""
    return np.stack([landmarks[36:42].mean(0), landmarks[42:48].mean(0), landmarks[30], landmarks[48], landmarks[54]])


def _opened(path: Path, kind: Callable[..., Any]) -> tuple[Any, str]:
    """Open a network with InsightFace's own preprocessing, on the CPU; with its fingerprint."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return kind(str(path), open_on_cpu(path)), f"{path.name} {digest[:16]}"
    except OSError as error:
        raise OptionError(f"Cannot read the network {path}: {error.strerror}.") from None
    except Exception as error:
        # guards the opening of a file of unknown content: InsightFace asserts, and ONNX Runtime raises unrelated types of its own
        raise OptionError(f"{path} is not a network that InsightFace can run: {error}") from error
