"""Detectors of 68 landmarks: dlib, the heatmap network of this project, MediaPipe's face mesh and InsightFace."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.known_names import shown, suggestion

DETECTORS = ("dlib", "heatmap[:FILE.onnx]", "mesh[:FILE.tflite]", "insightface[:FILE.onnx]")


class LandmarkDetector(Protocol):
    """Finds the 68 landmarks of the face in a window. Call it from one thread at a time."""

    @property
    def name(self) -> str:
        """A name for display."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the points may change."""

    def __call__(self, crop: Image) -> Points:
        """Detect the landmarks of a face.

        Args:
            crop: A face window, uint8 RGB [S, S, 3], with the face in its middle and a side of about 1.7 times its size.

        Returns:
            float64 [68, 2]: x and y in pixels of the crop.
        """


def open_landmark_detector(name: str = "dlib") -> LandmarkDetector:
    """Open a landmark detector by name.

    Args:
        name: ``dlib``; ``heatmap`` (the shipped network) or ``heatmap:FILE.onnx``; ``mesh`` (MediaPipe's) or
            ``mesh:FILE.tflite``; ``insightface`` or ``insightface:FILE.onnx``.

    Raises:
        OptionError: The name is unknown, a package or file is missing, or the file is not such a network.
    """
    kind, _, file = name.partition(":")
    path = Path(file) if file else None
    if kind == "dlib" and path is None:
        from streamdeblur.evaluation.metrics.dlib_models import DlibLandmarkDetector

        return DlibLandmarkDetector()
    if kind == "heatmap":
        from streamdeblur.evaluation.metrics.heatmap_landmarks import HeatmapLandmarkDetector

        return HeatmapLandmarkDetector(path)
    if kind == "mesh":
        from streamdeblur.evaluation.metrics.face_mesh import FaceMesh, find_face_mesh

        return FaceMesh(path or find_face_mesh())
    if kind == "insightface":
        from streamdeblur.evaluation.metrics.insightface_models import LANDMARKS_FILE, InsightFaceLandmarkDetector, find_model

        return InsightFaceLandmarkDetector(path or find_model(LANDMARKS_FILE))
    raise OptionError(f"Unknown landmark detector {shown(name)}. {suggestion(name, DETECTORS)}")


def second_landmark_detector(first: LandmarkDetector) -> LandmarkDetector | None:
    """Return the detector with which a ranking of methods by a first one is repeated.

    It is the shipped one, which everyone has, so that published tables can be made again; or dlib's where the first one is
    the shipped one. Others are chosen by their names.

    Returns:
        None where the first one is the shipped one and dlib is not installed.
    """
    shipped = open_landmark_detector("heatmap")
    if first.fingerprint != shipped.fingerprint:
        return shipped
    try:
        return open_landmark_detector("dlib")
    except OptionError:
        return None
