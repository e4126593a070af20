"""Where the components of each supported pixel format lie in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal


@dataclass(frozen=True)
class Component:
    """One of Y, U, V (or R, G, B) in a frame's planes."""

    plane: int
    offset: int = 0
    """First sample of a line, in samples."""
    stride: int = 1
    """Distance of neighbouring samples, in samples."""
    horizontal: int = 1
    """Luma columns per sample."""
    vertical: int = 1
    """Luma lines per sample."""


@dataclass(frozen=True)
class Layout:
    """A pixel format: three components (one for gray), their depth, and what they mean."""

    family: Literal["yuv", "rgb", "gray"]
    components: tuple[Component, ...]
    depth: int = 8
    """Bits of a code value."""
    shift: int = 0
    """Unused low bits of a sample; p010le, for example, has code values in the high bits."""
    full_range: bool = False
    """Whether the format itself has full range (yuvj420p ...)."""

    @property
    def dtype(self) -> str:
        """NumPy's name of the type of a sample."""
        return "u1" if self.depth + self.shift <= 8 else "<u2"

    @property
    def maximum(self) -> int:
        """Largest code value."""
        return (1 << self.depth) - 1


_SUBSAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "440": (1, 2), "411": (4, 1), "410": (4, 4)}


def _planar(name: str) -> Layout | None:
    """yuv, yuvj (full range) and yuva (alpha left alone), planar, 8 to 16 bits."""
    match = re.fullmatch(r"yuv(j?)(a?)(\d{3})p(?:(9|10|12|14|16)le)?", name)
    if match is None or match[3] not in _SUBSAMPLING:
        return None
    horizontal, vertical = _SUBSAMPLING[match[3]]
    chroma = tuple(Component(plane, 0, 1, horizontal, vertical) for plane in (1, 2))
    return Layout("yuv", (Component(0), *chroma), int(match[4] or 8), full_range=bool(match[1]))


def _planar_rgb(name: str) -> Layout | None:
    match = re.fullmatch(r"gbra?p(?:(9|10|12|14|16)le)?", name)
    if match is None:
        return None
    return Layout("rgb", (Component(2), Component(0), Component(1)), int(match[1] or 8))


def _gray(name: str) -> Layout | None:
    match = re.fullmatch(r"gray(?:(9|10|12|14|16)le)?", name)
    return Layout("gray", (Component(0),), int(match[1] or 8)) if match else None


def _semi_planar(horizontal: int, vertical: int, depth: int = 8, shift: int = 0, swap: int = 0) -> Layout:
    chroma = tuple(Component(1, offset ^ swap, 2, horizontal, vertical) for offset in (0, 1))
    return Layout("yuv", (Component(0), *chroma), depth, shift)


def _packed_rgb(order: str, depth: int = 8) -> Layout:
    return Layout("rgb", tuple(Component(0, order.index(c), len(order)) for c in "rgb"), depth)


def _packed_yuv(luma: int) -> Layout:
    """4:2:2 in one plane, as many webcams send it; `luma` is the byte of the first Y."""
    chroma = tuple(Component(0, (1 - luma) + 2 * i, 4, 2, 1) for i in (0, 1))
    return Layout("yuv", (Component(0, luma, 2), *chroma))


_NAMED = {
    "nv12": _semi_planar(2, 2),
    "nv21": _semi_planar(2, 2, swap=1),
    "nv16": _semi_planar(2, 1),
    "nv24": _semi_planar(1, 1),
    "p010le": _semi_planar(2, 2, 10, 6),
    "p012le": _semi_planar(2, 2, 12, 4),
    "p016le": _semi_planar(2, 2, 16),
    "p210le": _semi_planar(2, 1, 10, 6),
    "yuyv422": _packed_yuv(0),
    "uyvy422": _packed_yuv(1),
    **{order: _packed_rgb(order) for order in ("rgba", "bgra", "argb", "abgr")},
    **{name: _packed_rgb(name.replace("0", "a")) for name in ("rgb0", "bgr0", "0rgb", "0bgr")},
    "rgb24": _packed_rgb("rgb"),
    "bgr24": _packed_rgb("bgr"),
    "rgb48le": _packed_rgb("rgb", 16),
    "bgr48le": _packed_rgb("bgr", 16),
    "rgba64le": _packed_rgb("rgba", 16),
    "bgra64le": _packed_rgb("bgra", 16),
}


@lru_cache(maxsize=512)
def layout_of(name: str) -> Layout | None:
    """Return the layout of FFmpeg's pixel format `name`; None where its samples cannot be edited in place."""
    return _NAMED.get(name) or _planar(name) or _planar_rgb(name) or _gray(name)
