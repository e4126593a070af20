"""What is evaluated: blurry faces, and what is known of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""uint8 RGB [H, W, 3]; of a face 256 x 256, a square of about 1.7 times the face."""
Points = NDArray[np.float64]
"""float64 [68, 2]: x and y of the 68-point mark-up, in pixels of the crop."""


@dataclass(frozen=True, eq=False)
class Case:
    """One blurry face."""

    name: str
    """Unique within its protocol, of letters, digits and ``._-/``: the name of its files."""
    blurry: Image
    sharp: Image | None
    """What the blurry face should have been; None where nobody knows (real blur)."""
    group: str
    """The clip or picture it comes from: cases of one group are not independent of each other."""
    identity: str = ""
    """Who it shows; '' where that is not known."""
    reference: Image | None = None
    """A sharp picture of the same person from another moment, where there is no sharp twin."""
    landmarks: Points | None = None
    """Marked by hand in the sharp face; None: the localiser's own points in the sharp face stand for them."""
    kernel: NDArray[np.float32] | None = None
    """The blur, float32 [k, k] with k odd and sum 1, where it is one known kernel, in code values."""
    record: dict[str, Any] = field(default_factory=dict)
    """How it was made, for JSON."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the blurry pixels, in hexadecimal."""
        return hashlib.sha256(np.ascontiguousarray(self.blurry).tobytes()).hexdigest()


@dataclass(frozen=True)
class Comparison:
    """Two faces of a verification protocol: are they the same person?"""

    fold: int
    first: str
    """Name of a case."""
    second: str
    same: bool


class Method(Protocol):
    """What is compared: anything that makes sharp faces of blurry ones."""

    @property
    def name(self) -> str:
        """As it was asked for, such as ``onnx:network.onnx``."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever its results may: results are kept under it. '' where that cannot be known, so nothing is kept."""

    def restore(self, cases: Sequence[Case]) -> list[Image]:
        """Restored faces of some cases, in their order, each of the blurry one's shape.

        Raises:
            MethodError: it cannot work on these; the message says why.
        """
