"""Compiles the GPU kernels to PTX when the package is built; all else stands in pyproject.toml."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CUDA = Path(__file__).parent / "kernels" / "cuda"


class BuildWithKernels(build_py):
    """Makes window.ptx beside its source, where the package data is taken from."""

    def run(self) -> None:
        # by path: the package itself, and what it needs, are not installed while it is built
        compiler = runpy.run_path(str(CUDA / "compiler.py"))
        try:
            (CUDA / "window.ptx").write_bytes(compiler["compile_ptx"]())
        except compiler["CompilerError"] as error:
            # no NVRTC exists for macOS, and none is needed there
            self.warn(f"built without GPU kernels: {error}")
        super().run()


setup(cmdclass={"build_py": BuildWithKernels})
