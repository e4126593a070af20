"""MediaPipe's face mesh (Kartynnik et al. 2019) as a landmark detector: its network, training data and annotation differ from
dlib's. OpenVINO reads and runs its TFLite file, so MediaPipe itself is not needed."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from streamdeblur.engines.openvino import core
from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.evaluation.metrics.face_views import FaceViews, Matrix, mapped_back
from streamdeblur.faces.window import WINDOW_SCALE

FILE = Path("modules/face_landmark/face_landmark.tflite")
"""Its path in the wheels of MediaPipe up to 0.10; those of 1.x contain no networks."""
INPUT_SIDE = 192
VERTICES = 468
VIEWS = FaceViews(INPUT_SIDE, scale=1.5)
"""The network's input views; their side relative to the size of the face is that of MediaPipe's own graph."""
OUTER_CORNERS = (33, 263)
"""Vertices at the outer corners of the eyes, which give the tilt of the head."""

VERTICES_OF_68_POINTS = (
    *(127, 234, 93, 215, 138, 136, 149, 148, 152, 377, 378, 365, 367, 435, 323, 454, 356),  # outline, from left to right
    *(70, 63, 105, 66, 55, 285, 296, 334, 293, 300),  # eyebrows
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # bridge and base of the nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91),  # outer edge of the lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner edge of the lips
)
"""The vertex for each of the 68 points. Corners and edges of features are named by the mesh's own topology; for the
others, the vertex that lay nearest to dlib's point in the median of 251 sharp portraits on which the two agree, the same on both
sides of the face."""


def find_face_mesh() -> Path:
    """Find the network in an installed MediaPipe.

    Raises:
        OptionError: There is none.
    """
    spec = find_spec("mediapipe")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / FILE).is_file():
            return Path(folder) / FILE
    raise OptionError(f"No face mesh is installed. Give mesh:FILE.tflite, or install a MediaPipe that carries {FILE} (0.10.14).")


class FaceMesh:
    """Runs the network twice: on the middle of the window, and on an upright view around the first result, as MediaPipe tracks a
    face from frame to frame."""

    name = "MediaPipe's face mesh"

    def __init__(self, path: Path) -> None:
        """
        Raises:
            OptionError: The file cannot be read, or is not that network.
        """
        # in float32 on every CPU, so that the metrics are reproducible: bf16 moves points by 0.2 % of the face
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        try:
            content = path.read_bytes()
            self._request = core().compile_model(str(path), "CPU", settings).create_infer_request()
        except OSError as error:
            raise OptionError(f"Cannot read the face mesh {path}: {error.strerror}.") from None
        except RuntimeError as error:
            raise OptionError(f"{path} is not a network that OpenVINO can run: {error}") from None
        sizes = [tensor.size for tensor in (*self._request.input_tensors, *self._request.output_tensors)]
        if sizes[:2] != [INPUT_SIDE**2 * 3, VERTICES * 3]:
            raise OptionError(f"{path} is not MediaPipe's face mesh of {VERTICES} points. Give its face_landmark.tflite.")
        self.fingerprint = f"face mesh {hashlib.sha256(content).hexdigest()[:16]}"

    def __call__(self, crop: Image) -> Points:
        side = crop.shape[0]
        coarse = self._find(crop, VIEWS.around(np.full(2, side / 2), side / WINDOW_SCALE, 0.0))
        left, right = coarse[list(OUTER_CORNERS)]
        return self._find(crop, VIEWS.upright(coarse, left, right))[list(VERTICES_OF_68_POINTS)]

    def _find(self, crop: Image, matrix: Matrix) -> Points:
        """All vertices, float64 [468, 2] in pixels of the crop. matrix: from pixels of the crop to those of the view."""
        self._request.infer([VIEWS.picture(crop, matrix)[None].astype(np.float32) / 255.0])
        vertices = self._request.output_tensors[0].data.reshape(VERTICES, 3)[:, :2].astype(np.float64)
        return mapped_back(vertices, matrix)
