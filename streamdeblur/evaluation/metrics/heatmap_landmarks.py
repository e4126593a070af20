"""The landmark network of this project: a heatmap for each of the 68 points, whose means are the points (soft-argmax, as in the
DSNT of Nibali et al. 2018). Its file is shipped, so that a second detector is always there; `docs/evaluation.md` has its errors.

`streamdeblur.training.landmarks` trains it. It learned from MediaPipe's face mesh, and shares nothing with dlib's detector.
"""

from __future__ import annotations

import hashlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.evaluation.metrics.face_views import FaceViews, Matrix, mapped_back
from streamdeblur.faces.window import WINDOW_SCALE
from streamdeblur.onnx_session import open_on_cpu

FILE = "landmarks.onnx"
"""The shipped network, in `streamdeblur.weights`."""
POINTS = 68
SIDE = 128
"""Side of the network's input in pixels."""
FIRST = FaceViews(SIDE, scale=1.3)
"""The view of the middle of a window, around the face box that it was made of."""
SECOND = FaceViews(SIDE, scale=1.35)
"""The view around the points that were found in the first one, which do not reach over the forehead as face boxes do: so it is
closer."""

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
    """Runs the network on the middle of the window, and then on an upright view around what it found there, as `FaceMesh` does.

    The second view is given as it is and mirrored, and both results are averaged, so that a mirrored face has mirrored points.
    """

    name = "heatmap network, 68 points"

    def __init__(self, path: Path | None = None) -> None:
        """
        Args:
            path: An ONNX file that `streamdeblur train landmarks` wrote; the shipped one by default.

        Raises:
            OptionError: The file cannot be read, or is not such a network.
        """
        self._session, content = _opened(path or shipped_landmark_network())
        self._input = self._session.get_inputs()[0].name
        self.fingerprint = f"heatmap landmarks {hashlib.sha256(content).hexdigest()[:16]}"

    def __call__(self, crop: Image) -> Points:
        luma = np.asarray(cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY), np.uint8)
        side = luma.shape[0]
        matrix = FIRST.around(np.full(2, side / 2), side / WINDOW_SCALE, 0.0)
        coarse = mapped_back(self._find(FIRST.picture(luma, matrix)), matrix)
        matrix = upright_view(coarse)
        view = SECOND.picture(luma, matrix)
        plain, mirrored = self._find(view), self._find(view[:, ::-1])
        return mapped_back((plain + mirrored_points(mirrored)) / 2, matrix)

    def _find(self, view: Image) -> Points:
        """The points in a view, in its pixels."""
        (points,) = self._session.run(None, {self._input: network_input([view])})
        return np.asarray(points[0], np.float64)


def _opened(path: Path) -> tuple[Any, bytes]:
    """Open a network on one thread, in float32 on every CPU, so that the metrics are reproducible; with the file's content."""
    try:
        content = path.read_bytes()
        session = open_on_cpu(content, threads=1)
    except OSError as error:
        raise OptionError(f"Cannot read the landmark network {path}: {error.strerror}.") from None
    except Exception as error:
        # guards the opening of a file of unknown content: ONNX Runtime raises unrelated types of its own
        raise OptionError(f"{path} is not a network that ONNX Runtime can run: {error}") from error
    shapes = [port.shape[1:] for port in (*session.get_inputs(), *session.get_outputs())]
    if shapes != [[1, SIDE, SIDE], [POINTS, 2]]:
        raise OptionError(f"{path} is not a network of {POINTS} points. Give one that 'streamdeblur train landmarks' wrote.")
    return session, content


def upright_view(points: Points) -> Matrix:
    """Return the second view of a face whose points [68, 2] are known, level by its eyes."""
    return SECOND.upright(points, points[36:42].mean(0), points[42:48].mean(0))


def mirrored_points(points: Points, side: int = SIDE) -> Points:
    """Return the points [68, 2] of the mirrored picture of a side in pixels."""
    return points[list(MIRRORED)] * (-1.0, 1.0) + (side - 1.0, 0.0)


def network_input(views: list[Image]) -> NDArray[np.float32]:
    """Return lumas, uint8 [128, 128] each, as the network takes them: float32 [N, 1, 128, 128] in [0, 1]."""
    return np.stack(views)[:, None].astype(np.float32) / np.float32(255)
