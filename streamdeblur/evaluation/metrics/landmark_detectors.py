"""What finds the 68 points in a face: dlib, and as a second opinion MediaPipe's face mesh or InsightFace."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Image, Points


class Localiser(Protocol):
    """Finds the 68-point mark-up in a face window. To be called from one thread at a time."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever its points may."""

    def __call__(self, crop: Image) -> Points:
        """Points, float64 [68, 2] in pixels, in a face window: uint8 RGB [S, S, 3], about 1.7 times the face in its middle."""


def open_localiser(name: str = "dlib") -> Localiser:
    """A localiser: ``dlib``; ``mesh`` (MediaPipe's) or ``mesh:FILE.tflite``; ``insightface`` or ``insightface:FILE.onnx``.

    Raises:
        OptionError: an unknown name, a package or a file that is missing, or a file that is not such a network.
    """
    kind, _, file = name.partition(":")
    path = Path(file) if file else None
    if kind == "dlib" and path is None:
        from streamdeblur.evaluation.metrics.dlib_models import DlibLocaliser

        return DlibLocaliser()
    if kind == "mesh":
        from streamdeblur.evaluation.metrics.face_mesh import FaceMesh, find_face_mesh

        return FaceMesh(path or find_face_mesh())
    if kind == "insightface":
        from streamdeblur.evaluation.metrics.insightface_models import LANDMARKS_FILE, InsightFaceLocaliser, find_model

        return InsightFaceLocaliser(path or find_model(LANDMARKS_FILE))
    raise OptionError(f"Unknown landmark localiser '{name}'. Known: dlib, mesh[:FILE.tflite], insightface[:FILE.onnx].")


def second_localiser() -> Localiser | None:
    """One that shares nothing with dlib's, to repeat a ranking with: the first that is installed; None where none is."""
    for name in ("insightface", "mesh"):
        try:
            return open_localiser(name)
        except OptionError:
            continue
    return None
