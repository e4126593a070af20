"""The Detector protocol, and open_detector."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import DetectorError
from streamdeblur.faces.face import Face


class Detector(Protocol):
    """Finds faces in pictures. To be called from one thread at a time."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def smallest_face(self) -> float:
        """Size in pixels of the smallest face that is found reliably."""

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Faces in a picture, uint8 RGB [H, W, 3] of any size, most certain first."""


def open_detector(name: str, engine: str = "auto") -> Detector:
    """Open a detector: 'centerface' (embedded), 'scrfd:FILE.onnx', or 'scrfd:PACK' (an InsightFace model pack, downloaded once).

    `engine` runs CenterFace ('openvino', 'onnxruntime', or 'auto' for the best of them).

    Raises:
        DetectorError: unknown name, or its weights cannot be loaded.
    """
    family, _, source = name.partition(":")
    if name == "centerface":
        from streamdeblur.faces.centerface import CenterFace

        return CenterFace(engine)
    if family == "scrfd" and source:
        from streamdeblur.faces.scrfd import Scrfd

        return Scrfd(source)
    if Path(name).suffix == ".onnx":
        from streamdeblur.faces.scrfd import Scrfd

        return Scrfd(name)
    raise DetectorError(
        f"Unknown detector '{name}'. Known: centerface (embedded), scrfd:FILE.onnx, scrfd:PACK (such as scrfd:buffalo_s)."
    )
