"""The CUDA kernels, compiled for the CPU by the system's C++ compiler through cuda_on_host.h."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import streamdeblur.kernels.cuda as cuda

SOURCES = Path(cuda.__file__).parent
EMULATION = Path(__file__).with_name("cuda_on_host.h")
KERNELS = {
    "crop_faces_8": ("const Frame *", "const Face *", "uint16 *"),
    "crop_faces_16": ("const Frame *", "const Face *", "uint16 *"),
    "residual_faces": ("const Frame *", "const Face *", "const uint16 *", "const uint16 *", "float *", "int *"),
    "paste_faces_8": ("const Frame *", "const Face *", "const float *", "const int *"),
    "paste_faces_16": ("const Frame *", "const Face *", "const float *", "const int *"),
    "half_lumas": ("const uint16 *", "uint16 *"),
    "gather_memory": ("const address *", "uint16 *", "uint16 *"),
    "pair_differences": ("const address *", "float *"),
    "face_samples": ("const Face *", "const uint16 *", "Measured *"),
    "face_columns": ("const Face *", "Measured *"),
    "face_energies": ("const Face *", "Measured *"),
    "face_edges": ("const Face *", "Measured *"),
    "face_ranks": ("const Face *", "Measured *", "float *"),
    "face_numbers": ("const Face *", "const uint16 *", "const Measured *", "float *"),
}


def compiler():
    """The C++ compiler, or None."""
    return shutil.which("g++") or shutil.which("c++")


def program_text(body=""):
    """The kernels as C++, with a function for each that launches it."""
    launchers = "".join(
        f'extern "C" void launch_{name}(const int *grid, const int *block, void **a) {{ launch_grid(grid, block, {name}, '
        + ", ".join(f"({kind})a[{n}]" for n, kind in enumerate(kinds))
        + "); }\n"
        for name, kinds in KERNELS.items()
    )
    return f'#include "{EMULATION}"\n#include "{SOURCES / "window.cu"}"\n{launchers}{body}'


@lru_cache(maxsize=1)
def _library():
    text = program_text()
    content = text + "".join(path.read_text() for path in [EMULATION, *sorted(SOURCES.glob("*.cu*"))])
    folder = Path(tempfile.gettempdir()) / f"streamdeblur-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.so"
    if not library.exists():
        compile_text(text, library, "-shared")
    return ctypes.CDLL(str(library))


def compile_text(text, out, *options):
    """Compile C++ to `out`, which appears when it is complete."""
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        source, partial = Path(folder) / "kernels.cpp", Path(folder) / "out"
        source.write_text(text)
        command = [compiler(), "-std=c++17", "-O2", "-fPIC", "-Wno-unused", *options, str(source), "-o", str(partial)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        partial.replace(out)


class EmulatedModule:
    """The kernels of window.cu, run on the CPU."""

    def launch(self, name, grid, block, arguments):
        """arguments: addresses of memory, as integers."""
        triple = ctypes.c_int * 3
        pointers = (ctypes.c_void_p * len(arguments))(*(int(argument) for argument in arguments))
        getattr(_library(), f"launch_{name}")(triple(*grid), triple(*block), pointers)
