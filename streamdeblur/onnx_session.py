"""Opens sessions of ONNX Runtime that print nothing: what fails is raised, and told by whoever opened the session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FATAL = 4
"""Severity of what ONNX Runtime may still print; lesser errors are raised, too."""


def quiet_options() -> Any:
    """Return `SessionOptions` of a session that prints no errors and warnings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    return options


def open_on_cpu(model: bytes | Path) -> Any:
    """Open a session on the CPU from the content of a file, or from a path where the network may have weights beside it."""
    import onnxruntime

    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, quiet_options(), providers=["CPUExecutionProvider"])
