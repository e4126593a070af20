"""The pixel kernels of window.py for NVIDIA GPUs: CUDA C, shipped as PTX so that no compiler is needed."""

from __future__ import annotations

from pathlib import Path

PTX = Path(__file__).with_name("window.ptx")
"""Made when the package is built. It is PTX 8.0, of CUDA 12.0, which drivers from 525 on load."""


def ptx() -> bytes:
    """Return the compiled kernels of the package; they are compiled now if it was built without NVRTC or sources have changed.

    Raises:
        EngineError: There are none of these sources, and NVRTC is missing; the message names what to install.
    """
    from streamdeblur.errors import EngineError
    from streamdeblur.kernels.cuda.compiler import CompilerError, compile_ptx, source_digest

    if PTX.is_file():
        compiled = PTX.read_bytes()
        # an editable installation keeps what was compiled before its sources changed
        if source_digest().encode() in compiled[-100:]:
            return compiled
    try:
        return compile_ptx()
    except CompilerError as error:
        raise EngineError(f"This installation has no GPU kernels of its sources, and cannot compile them: {error}") from None
