"""The data of an evaluation: blurry faces with their ground truth, and the methods that restore them."""

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
"""float64 [68, 2]: x and y of the 68-point annotation, in pixels of the crop."""
Embedding = NDArray[np.float64]
"""float64 [D], of length 1: a vector that tells people apart."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The exposures of the same face around one of a run, in the order of time."""

    before: tuple[Image, ...] = ()
    """Those before it, the nearest one last; each of the blurry face's shape."""
    after: tuple[Image, ...] = ()
    """Those after it, the nearest one first."""

    def __repr__(self) -> str:
        return f"Neighbours({len(self.before)} before, {len(self.after)} after)"


@dataclass(frozen=True, eq=False)
class Case:
    """One blurry face and its ground truth."""

    name: str
    """Unique within its protocol, of letters, digits and ``._-/``: the name of its files."""
    blurry: Image
    sharp: Image | None
    """The face without blur; None where it is unknown (real blur)."""
    group: str
    """The clip or picture that it comes from: cases of one group are not independent of each other."""
    identity: str = ""
    """The person; '' if unknown."""
    reference: Image | None = None
    """A sharp picture of the same person from another moment, for cases without a sharp face."""
    landmarks: Points | None = None
    """Annotated by hand in the sharp face; None: the points that the landmark detector finds there are used instead."""
    kernel: NDArray[np.float32] | None = None
    """The blur kernel, float32 [k, k] with k odd and sum 1, if the blur is one convolution in code values."""
    record: dict[str, Any] = field(default_factory=dict)
    """How it was made, for JSON."""
    neighbours: Neighbours | None = None
    """The exposures around it, for methods that see several; None for a face that is no part of a run."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the blurry pixels, and of those of the neighbours, in hexadecimal."""
        digest = hashlib.sha256(np.ascontiguousarray(self.blurry).tobytes())
        if self.neighbours is not None:
            digest.update(f"{len(self.neighbours.before)} before".encode())
            for picture in (*self.neighbours.before, *self.neighbours.after):
                digest.update(np.ascontiguousarray(picture).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"Case({self.name!r}, {self.blurry.shape[1]} x {self.blurry.shape[0]} px)"


Run = Sequence[Case]
"""Consecutive exposures of one face, each with its neighbours; the last one is the present, which is judged by its detail."""


@dataclass(frozen=True)
class Comparison:
    """Two groups of faces of a verification protocol, of the same person or not: two pictures, or two videos."""

    fold: int
    first: str
    """Name of a group (`Case.group`)."""
    second: str
    same: bool


@dataclass(frozen=True)
class CaseSet:
    """The blurry faces of one protocol: what one evaluation works on."""

    protocol: str
    cases: Sequence[Case] = field(repr=False)
    sequences: Sequence[Sequence[Case]] = field(default=(), repr=False)
    """Consecutive frames of some clips, for temporal stability."""
    runs: Sequence[Run] = field(default=(), repr=False)
    """The runs whose present frames are the cases, for flicker."""
    comparisons: Sequence[Comparison] = field(default=(), repr=False)


class Method(Protocol):
    """A deblurring method: restores blurry faces."""

    @property
    def name(self) -> str:
        """As the user gave it, such as ``onnx:network.onnx``."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the results may change; stored results are reused while it stays the same. '' if that cannot be known:
        results are never reused then."""

    def restore(self, cases: Sequence[Case]) -> list[Image]:
        """Restore some cases.

        Returns:
            The restored faces in the order of the cases, each of the blurry one's shape.

        Raises:
            MethodError: The method cannot work on these; the message says why.
        """
