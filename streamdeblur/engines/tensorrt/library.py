"""TensorRT, or TensorRT for RTX: the same calls of two packages, of which one is chosen here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Literal


@dataclass(frozen=True)
class Library:
    """One of the two packages. What imports its module gets it from `module`; types are those of TensorRT."""

    name: Literal["tensorrt", "rtx"]
    """As engines are named, and the extra that installs it."""
    title: str
    module_name: str
    jit: bool = False
    """Whether it compiles kernels when a network runs first, keeps them in a cache of its own, and makes CUDA graphs itself."""

    @property
    def installed(self) -> bool:
        """Whether the package is installed; it may still not load."""
        return find_spec(self.module_name) is not None

    @property
    def module(self) -> ModuleType:
        """The package, imported now.

        Raises:
            ImportError: It is not installed, or one of its libraries is missing.
        """
        return import_module(self.module_name)

    @property
    def version(self) -> str:
        """Version of the package, which tells apart what the two have built."""
        version = self.module.__version__
        return f"RTX {version}" if self.jit else str(version)


TENSORRT = Library("tensorrt", "TensorRT", "tensorrt")
RTX = Library("rtx", "TensorRT for RTX", "tensorrt_rtx", jit=True)
LIBRARIES: dict[str, Library] = {library.name: library for library in (TENSORRT, RTX)}
"""By the name of the engine, the one that is expected to be faster first."""


def installed_library() -> Library:
    """Return the library that is installed, of both the one that is expected to be faster; TensorRT where neither is."""
    return next((library for library in LIBRARIES.values() if library.installed), TENSORRT)
