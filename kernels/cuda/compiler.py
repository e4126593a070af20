"""Compiles the kernels to PTX with NVRTC. The build of the package runs this file alone, so it imports no other module."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).parent
ARCHITECTURE = "compute_75"
"""Turing, the oldest that TensorRT 10 and 11 support; drivers compile its PTX for every later GPU."""


class CompilerError(Exception):
    """NVRTC is missing, or cannot compile the source."""


def source_digest() -> str:
    """Return the sha256 of the sources, hexadecimal."""
    sources = sorted((*SOURCES.glob("*.cu"), *SOURCES.glob("*.cuh")))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def compile_ptx(architecture: str = ARCHITECTURE) -> bytes:
    """Compile the kernels of window.cu to PTX, whose last line is a comment with the `source_digest`.

    Raises:
        CompilerError: NVRTC is missing, or cannot compile the source; the message contains its log.
    """
    # NVRTC leaves its thread in the locale "C", in which files are read as ASCII
    with ThreadPoolExecutor(max_workers=1) as thread:
        compiled = thread.submit(_compile, architecture).result()
    return compiled + f"\n// {source_digest()}\n".encode()


def _compile(architecture: str) -> bytes:
    nvrtc = _open_nvrtc()
    headers = [path.name for path in sorted(SOURCES.glob("*.cuh"))]
    texts = [(SOURCES / name).read_bytes() for name in headers]
    program = ctypes.c_void_p()
    _check(
        nvrtc,
        nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), (SOURCES / "window.cu").read_bytes(), b"window.cu", len(headers),
            (ctypes.c_char_p * len(texts))(*texts), (ctypes.c_char_p * len(headers))(*(name.encode() for name in headers)),
        ),
    )  # fmt: skip
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17"]
    result = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    try:
        if result:
            log = _text(nvrtc, program, "ProgramLog").decode(errors="replace")
            raise CompilerError(f"NVRTC cannot compile window.cu:\n{log}")
        return _text(nvrtc, program, "PTX").rstrip(b"\0")
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(nvrtc, getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(nvrtc, getattr(nvrtc, f"nvrtcGet{what}")(program, text))
    return text.raw


def _check(nvrtc: ctypes.CDLL, result: int) -> None:
    if result:
        nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise CompilerError(f"NVRTC failed: {nvrtc.nvrtcGetErrorString(result).decode()}.")


def _open_nvrtc() -> ctypes.CDLL:
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError:
            continue
    raise CompilerError("NVRTC was not found. pip install nvidia-cuda-nvrtc-cu12")


def _candidates() -> Iterator[str]:
    """Paths of NVRTC: in packages (CUDA 12 has it in cuda_nvrtc, 13 in cu13), then that of the system."""
    patterns = ("*/lib/libnvrtc.so.*", "*/bin/nvrtc64_*.dll", "*/bin/x86_64/nvrtc64_*.dll")
    for folder in sys.path:
        for pattern in patterns:
            for path in sorted((Path(folder) / "nvidia").glob(pattern)):
                if "builtins" not in path.name and ".alt." not in path.name:
                    yield str(path)
    found = ctypes.util.find_library("nvrtc")
    if found:
        yield found


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(compile_ptx())
