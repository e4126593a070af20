"""A still picture in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = Literal["PNG", "JPEG", "WEBP", "AVIF", "TIFF"]
Pixels: TypeAlias = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Metadata:
    """What a picture file says beside its pixels."""

    kind: Kind
    """The format that it was read from."""
    exif: bytes = field(default=b"", repr=False)
    """A TIFF structure, without the prefix that JPEG has."""
    icc_profile: bytes = field(default=b"", repr=False)
    xmp: bytes = field(default=b"", repr=False)
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict, repr=False)
    """PNG's texts; JPEG's comment is `Comment`."""
    parts: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """Name and content of PNG's chunks or JPEG's segments, which a file of the same format gets as they are."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels of a picture, upright, and its metadata."""

    pixels: Pixels
    """uint8 or uint16 [H, W, C]: gray, gray and alpha, RGB, or RGBA."""
    metadata: Metadata

    @property
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)

    def with_pixels(self, pixels: Pixels) -> Picture:
        """Return a picture with other pixels and the same metadata."""
        return replace(self, pixels=pixels)
