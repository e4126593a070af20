"""Compiles the GPU kernels to PTX when the package is built; all else stands in pyproject.toml."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

CUDA = Path(__file__).parent / "kernels" / "cuda"
PTX = CUDA / "window.ptx"
"""Beside its source, where the package data is taken from. It is the same on every platform, and so is the wheel."""


def compile_kernels() -> None:
    """Write window.ptx; where there is no NVRTC, that of a source distribution stays."""
    # by path: the package itself, and what it needs, are not installed while it is built
    compiler = runpy.run_path(str(CUDA / "compiler.py"))
    try:
        PTX.write_bytes(compiler["compile_ptx"]())
    except compiler["CompilerError"] as error:
        # no NVRTC exists for macOS, and none is needed there
        if not PTX.exists():
            warnings.warn(f"built without GPU kernels: {error}", stacklevel=1)


class BuildWithKernels(build_py):
    """Puts the compiled kernels into the wheel."""

    def run(self) -> None:
        compile_kernels()
        super().run()


class SourcesWithKernels(sdist):
    """Puts the compiled kernels into the source distribution, for platforms without NVRTC, such as Linux on ARM."""

    def run(self) -> None:
        compile_kernels()
        super().run()


setup(cmdclass={"build_py": BuildWithKernels, "sdist": SourcesWithKernels})
