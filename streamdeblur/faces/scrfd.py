"""SCRFD (Guo et al. 2021) through InsightFace: the user's own weights, or a model pack that InsightFace downloads."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.cores import GraphThreads, plan_threads
from streamdeblur.errors import DetectorError
from streamdeblur.faces.face import Face, plausible
from streamdeblur.onnx_file import read_onnx
from streamdeblur.onnx_session import FATAL, open_on_cpu
from streamdeblur.opening import ReopenedAfterFork

MULTIPLE = 32
"""Input sides are multiples of the distance of the coarsest anchors, in pixels."""
THRESHOLD = 0.4


class Scrfd:
    """InsightFace's SCRFD, run at the size of the picture, padded to a multiple of 32."""

    smallest_face = 12.0

    def __init__(self, source: str, threads: GraphThreads | None = None) -> None:
        """Load the network.

        Args:
            source: An ONNX file, or the name of an InsightFace model pack ('buffalo_s'), which is downloaded on first use.
            threads: What a picture is computed with; by default those of a live stream.

        Raises:
            DetectorError: The file does not exist or is not an SCRFD network, or the download failed.
        """
        self.name = f"scrfd:{Path(source).name}"
        path, count = _weights(source), (threads or plan_threads("live").detector).total
        try:
            self._model = ReopenedAfterFork(lambda: _load(path, count))
        except Exception as error:
            # InsightFace fails assertions and ONNX Runtime raises types of its own; all mean that this is no SCRFD network.
            raise DetectorError(f"{path} is not an SCRFD network with landmarks that InsightFace can load: {error}") from error

    def __repr__(self) -> str:
        return f"Scrfd({self.name!r})"

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in rgb.shape[:2])
        bgr = np.zeros((height, width, 3), np.uint8)
        bgr[: rgb.shape[0], : rgb.shape[1]] = rgb[..., ::-1]
        try:
            boxes, landmarks = self._model.current.detect(bgr, input_size=(width, height), det_thresh=THRESHOLD)
            faces = [
                Face(box[:4].astype(np.float32), float(box[4]), points.astype(np.float32).reshape(5, 2))
                for box, points in zip(boxes, landmarks, strict=True)
            ]
        except Exception as error:
            # a network of another kind shows as whatever NumPy, InsightFace or ONNX Runtime raise about its outputs
            raise DetectorError(f"{self.name} is not an SCRFD network with landmarks: {error}") from error
        return plausible(faces)

    def close(self) -> None:
        """Do nothing: the session is freed with this object, and runs nothing between two calls."""


def _weights(source: str) -> Path:
    if Path(source).suffix == ".onnx" or Path(source).exists():
        if not Path(source).is_file():
            raise DetectorError(f"No such file: {source}. Give --detector scrfd:FILE.onnx an SCRFD network.")
        return Path(source)
    from insightface.utils.storage import ensure_available

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            folder = Path(ensure_available("models", source))
        return next(path for path in sorted(folder.glob("*.onnx")) if path.name.startswith(("det_", "scrfd_")))
    except Exception as error:
        # requests, zipfile and InsightFace raise unrelated types when a download fails.
        raise DetectorError(
            f"InsightFace could not provide the model pack '{source}' ({error or type(error).__name__}). "
            "Check the name and the network, or give --detector scrfd:FILE.onnx."
        ) from error


def _load(path: Path, threads: int) -> Any:
    """Load the model with a dynamic input size: exported files are often frozen at 640 x 640."""
    import onnxruntime
    from insightface.model_zoo import SCRFD, get_model

    _, model = read_onnx(path)
    # InsightFace opens a session without options; its own FaceAnalysis sets this, too
    onnxruntime.set_default_logger_severity(FATAL)
    with contextlib.redirect_stdout(io.StringIO()):
        probe = get_model(str(path), providers=["CPUExecutionProvider"])
    if not isinstance(probe, SCRFD) or not probe.use_kps:
        raise DetectorError("it has no 5 landmarks")
    for axis, dimension in enumerate(model.graph.input[0].type.tensor_type.shape.dim):
        if axis > 1:
            dimension.dim_param = f"side_{axis}"
    for output in model.graph.output:
        if len(output.type.tensor_type.shape.dim) == 3:
            output.type.tensor_type.shape.dim[1].dim_param = f"{output.name}_anchors"
    return SCRFD(model_file=None, session=open_on_cpu(model.SerializeToString(), threads))
