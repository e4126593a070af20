"""The landmark network of this project: a heatmap for each of the 68 points, whose means are the points (soft-argmax, as in the
DSNT of Nibali et al. 2018). Its file is shipped, so that a second detector is always there; `docs/evaluation.md` has its errors.

`streamdeblur.training.landmarks` trains it. It learned from MediaPipe's face mesh, and shares nothing with dlib's detector.
"""

from __future__ import annotations

import hashlib
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.openvino import core
from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.evaluation.metrics.face_views import FaceViews, Matrix, mapped_back
from streamdeblur.faces.window import WINDOW_SCALE

FILE = "landmarks.onnx"
"""The shipped network, in `streamdeblur.weights`."""
POINTS = 68
SIDE = 128
"""Side of the network's input in pixels."""
FIRST = FaceViews(SIDE, 1.5)
"""The view of the middle of a window."""
SECOND = FaceViews(SIDE, 1.35)
"""The view around the points that were found in the first one: closer, because it is known where the face is."""

MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
)  # fmt: skip
"""For each of the 68 points the one that takes its place in a mirror."""


def shipped_landmark_network() -> Path:
    """Return the file of the shipped network."""
    with as_file(files("streamdeblur.weights") / FILE) as path:
        return path


class HeatmapLandmarkDetector:
    """Runs the network twice, as `FaceMesh` does: on the middle of the window, and on an upright view around the first result.

    Each view is given as it is and mirrored, and the two results are averaged, so that a mirrored face has mirrored points.
    """

    name = "heatmap network, 68 points"

    def __init__(self, path: Path | None = None) -> None:
        """
        Args:
            path: An ONNX file that `streamdeblur train landmarks` wrote; the shipped one by default.

        Raises:
            OptionError: The file cannot be read, or is not such a network.
        """
        path = path or shipped_landmark_network()
        # in float32 on every CPU, so that the metrics are reproducible
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        try:
            content = path.read_bytes()
            self._request = core().compile_model(str(path), "CPU", settings).create_infer_request()
        except OSError as error:
            raise OptionError(f"Cannot read the landmark network {path}: {error.strerror}.") from None
        except RuntimeError as error:
            raise OptionError(f"{path} is not a network that OpenVINO can run: {error}") from None
        model = self._request.get_compiled_model()
        shapes = [tuple(port.partial_shape.to_string() for port in ports) for ports in (model.inputs, model.outputs)]
        if shapes != [(f"[?,1,{SIDE},{SIDE}]",), (f"[?,{POINTS},2]",)]:
            raise OptionError(f"{path} is not a network of {POINTS} points. Give one that 'streamdeblur train landmarks' wrote.")
        self.fingerprint = f"heatmap landmarks {hashlib.sha256(content).hexdigest()[:16]}"

    def __call__(self, crop: Image) -> Points:
        luma = np.asarray(cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY), np.uint8)
        side = luma.shape[0]
        coarse = self._find(luma, FIRST, FIRST.around(np.full(2, side / 2), side / WINDOW_SCALE, 0.0))
        return self._find(luma, SECOND, upright_view(coarse))

    def _find(self, luma: Image, views: FaceViews, matrix: Matrix) -> Points:
        view = views.picture(luma, matrix)
        self._request.infer([network_input([view, view[:, ::-1]])])
        plain, mirrored = self._request.output_tensors[0].data.astype(np.float64)
        return mapped_back((plain + mirrored_points(mirrored)) / 2, matrix)


def upright_view(points: Points) -> Matrix:
    """Return the second view of a face whose points [68, 2] are known, level by its eyes."""
    return SECOND.upright(points, points[36:42].mean(0), points[42:48].mean(0))


def mirrored_points(points: Points, side: int = SIDE) -> Points:
    """Return the points [68, 2] of the mirrored picture of a side in pixels."""
    return points[list(MIRRORED)] * (-1.0, 1.0) + (side - 1.0, 0.0)


def network_input(views: list[Image]) -> NDArray[np.float32]:
    """Return lumas, uint8 [128, 128] each, as the network takes them: float32 [N, 1, 128, 128] in [0, 1]."""
    return np.stack(views)[:, None].astype(np.float32) / np.float32(255)
