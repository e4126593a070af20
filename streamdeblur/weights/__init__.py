"""The network that is shipped with streamdeblur."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path


def default_network() -> Path:
    """Path of the default two-step network (ONNX); its model card lies beside it."""
    with as_file(files(__name__) / "lite.onnx") as path:
        return path
