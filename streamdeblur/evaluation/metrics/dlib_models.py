"""dlib's models: the 68-point predictor (Kazemi & Sullivan 2014) and the 128-number face embedding (extra `eval`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Embedding, Image, Points
from streamdeblur.faces.window import WINDOW_SCALE
from streamdeblur.installation import install_command
from streamdeblur.onnx_session import open_on_cpu


class DlibLandmarkDetector:
    """The 68-point predictor; the face box that it needs is the middle of the window."""

    name = "dlib, 68 points"

    def __init__(self) -> None:
        """
        Raises:
            OptionError: dlib or its models are not installed.
        """
        self._dlib, models = _packages()
        self._predict = self._dlib.shape_predictor(models.pose_predictor_model_location())
        self.fingerprint = f"dlib landmarks {self._dlib.__version__}"

    def __call__(self, crop: Image) -> Points:
        found = self._predict(np.ascontiguousarray(crop), _face_box(self._dlib, crop))
        return np.array([(point.x, point.y) for point in found.parts()], np.float64)


class DlibEmbedder:
    """The embedding of dlib's face recognition, computed by ONNX Runtime from dlib's weights."""

    name = "dlib, 128 numbers"

    def __init__(self) -> None:
        """
        Raises:
            OptionError: dlib or its models are not installed.
            InputError: The installed weights are damaged.
        """
        from streamdeblur.evaluation.metrics.dlib_network import load_network

        self._dlib, _ = _packages()
        self._session = open_on_cpu(load_network(recognition_weights()).SerializeToString(), threads=1)
        self.fingerprint = f"dlib embedding {self._dlib.__version__} by ONNX"

    def __call__(self, crop: Image, landmarks: Points) -> Embedding:
        points = [self._dlib.point(x, y) for x, y in np.rint(landmarks).astype(int).tolist()]
        shape = self._dlib.full_object_detection(_face_box(self._dlib, crop), points)
        upright = self._dlib.get_face_chip(np.ascontiguousarray(crop), shape)
        faces = (upright.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        vector = self._session.run(None, {"faces": faces})[0][0].astype(np.float64)
        return np.asarray(vector / np.linalg.norm(vector), np.float64)


def is_installed() -> bool:
    """Return whether dlib and its models are installed."""
    try:
        _packages()
    except OptionError:
        return False
    return True


def recognition_weights() -> Path:
    """Return the file of the weights of dlib's face recognition.

    Raises:
        OptionError: The package that holds it is not installed.
    """
    return Path(_packages()[1].face_recognition_model_location())


def _packages() -> tuple[Any, Any]:
    try:
        import dlib
        import face_recognition_models
    except ImportError as error:
        raise OptionError(f"dlib's models need {error.name}. Install it with: {install_command('eval')}") from None
    return dlib, face_recognition_models


def _face_box(dlib: Any, crop: Image) -> Any:
    side = crop.shape[0]
    margin = round(side * (1 - 1 / WINDOW_SCALE) / 2)
    return dlib.rectangle(margin, margin, side - margin, side - margin)
