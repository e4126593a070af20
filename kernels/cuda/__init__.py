"""The pixel kernels for NVIDIA GPUs, twins of those in window.py: CUDA C, shipped as PTX so that no compiler is needed."""

from __future__ import annotations

from pathlib import Path

PTX = Path(__file__).with_name("window.ptx")
"""Made when the package is built; drivers from 525 on load it (PTX 8.0, that of CUDA 12.0)."""


def ptx() -> bytes:
    """The compiled kernels: those of the package, or where it was built without NVRTC, compiled now.

    Raises:
        EngineError: Neither is possible; says what to install.
    """
    from streamdeblur.errors import EngineError
    from streamdeblur.kernels.cuda.compiler import CompilerError, compile_ptx

    if PTX.is_file():
        return PTX.read_bytes()
    try:
        return compile_ptx()
    except CompilerError as error:
        raise EngineError(f"This installation has no GPU kernels, and cannot compile them: {error}") from None
