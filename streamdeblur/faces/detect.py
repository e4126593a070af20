"""The `Detector` protocol, and `open_detector`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.cores import GraphThreads
from streamdeblur.errors import DetectorError
from streamdeblur.faces.face import Face
from streamdeblur.known_names import shown, suggestion


class Detector(Protocol):
    """Detects faces in pictures. Call it from one thread at a time."""

    @property
    def name(self) -> str:
        """Name as `open_detector` accepts it."""

    @property
    def smallest_face(self) -> float:
        """Size in pixels of the smallest face that is detected reliably."""

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Detect the faces in a picture.

        Args:
            rgb: uint8 RGB [H, W, 3] of any size.

        Returns:
            The faces, in pixels of the picture, in order of falling score.
        """

    def close(self) -> None:
        """Free the networks. Closing again does nothing."""


def open_detector(name: str, engine: str = "auto", threads: GraphThreads | None = None) -> Detector:
    """Open a face detector.

    Args:
        name: 'centerface' (embedded), 'scrfd:FILE.onnx', or 'scrfd:PACK' (an InsightFace model pack, downloaded once).
        engine: What runs CenterFace: 'openvino', 'onnxruntime', or 'auto' for the faster of them.
        threads: What pictures as large as a full frame are computed with; by default those of a live stream.

    Raises:
        DetectorError: The name is unknown, or the weights cannot be loaded.
    """
    check_detector(name)
    if name == "centerface":
        from streamdeblur.faces.centerface import CenterFace

        return CenterFace(engine, threads)
    from streamdeblur.faces.scrfd import Scrfd

    return Scrfd(name.removeprefix("scrfd:"), threads)


def check_detector(name: str) -> None:
    """Refuse the name of no detector, before anything that takes time is done with it.

    Raises:
        DetectorError: The name is unknown.
    """
    family, _, source = name.partition(":")
    if name == "centerface" or (family == "scrfd" and source) or Path(name).suffix == ".onnx":
        return
    raise DetectorError(
        f"Unknown detector {shown(name)}. {suggestion(name, ('centerface', 'scrfd:FILE.onnx', 'scrfd:PACK'))} "
        "centerface is embedded; a PACK is a model pack of InsightFace, such as scrfd:buffalo_s."
    )
