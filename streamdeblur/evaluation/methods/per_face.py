"""PerFaceMethod: a method that restores one face after another by a function."""

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
class PerFaceMethod:
    """A `Method` of a function that restores one face."""

    name: str
    fingerprint: str
    function: Callable[[Case], Image]
    parallel: bool = False
    """Whether the function is slow and can be pickled, so that several processes restore faces in parallel."""

    def restore(self, cases: Sequence[Case]) -> list[Image]:
        """Restore some cases; see `Method.restore`.

        Raises:
            MethodError: The function raised it, or returned something else than a picture of the blurry one's shape.
        """
        return [checked(self.name, case, self.function(case)) for case in cases]


def checked(name: str, case: Case, restored: object) -> Image:
    """Check the result of the method `name` for a case.

    Raises:
        MethodError: It is not uint8, or has another shape than the blurry face.
    """
    if isinstance(restored, np.ndarray) and restored.dtype == np.uint8 and restored.shape == case.blurry.shape:
        return restored
    got = f"{restored.dtype} {list(restored.shape)}" if isinstance(restored, np.ndarray) else type(restored).__name__
    raise MethodError(f"{name} returned {got} for {case.name}. Required: uint8 {list(case.blurry.shape)}.")


def rounded(pixels: NDArray[np.floating]) -> Image:
    """Convert pixels in [0, 1], of any shape, to code values: uint8 of that shape."""
    return np.asarray(np.rint(np.clip(pixels, 0.0, 1.0) * 255.0), np.uint8)


def versioned(parameters: str) -> str:
    """Return the fingerprint of a method that is part of this package."""
    return f"streamdeblur {__version__}: {parameters}"


def files_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the names and contents of some files, in hexadecimal.

    Raises:
        MethodError: One cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.name} {content}\n".encode("utf-8", "surrogatepass"))
        except OSError as error:
            raise MethodError(f"Cannot read {file}: {error.strerror}.") from None
    return digest.hexdigest()
