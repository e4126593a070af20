"""Opens sessions of ONNX Runtime that print nothing: what fails is raised, and told by whoever opened the session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamdeblur.cores import usable_cores

FATAL = 4
"""Severity of what ONNX Runtime may still print; lesser errors are raised, too."""


def quiet_options() -> Any:
    """Return `SessionOptions` of a session that prints no errors and warnings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    return options


def open_on_cpu(model: bytes | Path, threads: int | None = None) -> Any:
    """Open a session on the CPU.

    Args:
        model: The content of a file, or a path where the network may have weights beside it.
        threads: Threads that compute; by default one for each core that this process may use.
    """
    import onnxruntime

    options = quiet_options()
    options.intra_op_num_threads = usable_cores() if threads is None else threads
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
