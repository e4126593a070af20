"""FaceByFace: the frame of all methods that restore one face after another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur import __version__
from streamdeblur.errors import MethodError
from streamdeblur.evaluation.cases import Case, Image


@dataclass(frozen=True)
class FaceByFace:
    """A `Method` of a function that restores one face."""

    name: str
    fingerprint: str
    function: Callable[[Case], Image]
    apart: bool = False
    """It is slow on one core and can be sent to other processes: several faces may be restored side by side."""

    def restore(self, cases: Sequence[Case]) -> list[Image]:
        """Restored faces of some cases, in their order.

        Raises:
            MethodError: the function does, or gives something else than a picture of the blurry one's shape.
        """
        return [checked(self.name, case, self.function(case)) for case in cases]


def checked(name: str, case: Case, restored: object) -> Image:
    """The result of the method `name` for a case.

    Raises:
        MethodError: it is not uint8, or of another shape than the blurry face.
    """
    if isinstance(restored, np.ndarray) and restored.dtype == np.uint8 and restored.shape == case.blurry.shape:
        return restored
    got = f"{restored.dtype} {list(restored.shape)}" if isinstance(restored, np.ndarray) else type(restored).__name__
    raise MethodError(f"{name} gave {got} for {case.name}; needed is uint8 {list(case.blurry.shape)}.")


def rounded(pixels: NDArray[np.floating]) -> Image:
    """Code values of pixels in [0, 1], of any shape."""
    return np.asarray(np.rint(np.clip(pixels, 0.0, 1.0) * 255.0), np.uint8)


def versioned(parameters: str) -> str:
    """The fingerprint of a method that is part of this package."""
    return f"streamdeblur {__version__}: {parameters}"


def files_digest(files: Iterable[Path]) -> str:
    """SHA-256 of the names and contents of some files, in hexadecimal.

    Raises:
        MethodError: one cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
        except OSError as error:
            raise MethodError(f"Cannot read {file}: {error.strerror}.") from None
    return digest.hexdigest()
