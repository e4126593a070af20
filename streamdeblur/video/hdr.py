"""HDR side data of a frame (SMPTE ST 2086, CTA-861.3) as the encoders' own parameters."""

from __future__ import annotations

import cmath
import math
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

# AVMasteringDisplayMetadata: 3 primaries (x, y), white point, luminance range as AVRational, then two flags.
_MASTERING = struct.Struct("=" + "ii" * 10 + "ii")
_LIGHT_LEVEL = struct.Struct("=II")
DYNAMIC = ("DYNAMIC_HDR_PLUS", "DOVI_METADATA", "DOVI_RPU_BUFFER", "DYNAMIC_HDR_VIVID")


def _side_data(frame: av.VideoFrame) -> dict[str, bytes] | None:
    """The side data of a frame by the names of their kinds; None where PyAV does not know one that FFmpeg does (JPEG with EXIF,
    spatial video), and so can read none of them."""
    from av.sidedata.sidedata import SideDataContainer

    try:
        # not `frame.side_data`, which PyAV keeps: when the frame was made writable, it refers to memory that was freed
        container = SideDataContainer(frame)  # type: ignore[call-arg]  # the stubs leave its constructor out
    except ValueError:
        return None
    return {data.type.name: bytes(data) for data in container}


def has_unreadable_metadata(frame: av.VideoFrame) -> bool:
    """Return whether nothing is known of the HDR metadata of a frame, because one kind of its side data cannot be read."""
    return _side_data(frame) is None


def hdr_parameters(frame: av.VideoFrame, encoder: str) -> list[str]:
    """Return the mastering display and content light level of a frame as parameters of an encoder.

    Args:
        frame: A frame with the side data of SMPTE ST 2086 and CTA-861.3, or without.
        encoder: libx265, libx264 or libsvtav1, which spell the parameters differently.

    Returns:
        "name=value" for each kind of metadata that the frame has.
    """
    data = _side_data(frame) or {}
    parameters = []
    content = data.get("MASTERING_DISPLAY_METADATA", b"")
    if len(content) >= _MASTERING.size:
        *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(content)
        ratios = [Fraction(n, d) if d else Fraction(0) for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
        if has_primaries and has_luminance:
            parameters.append(_mastering(ratios, encoder))
    content = data.get("CONTENT_LIGHT_LEVEL", b"")
    if len(content) >= _LIGHT_LEVEL.size:
        average = _LIGHT_LEVEL.unpack_from(content)
        name = {"libx265": "max-cll", "libx264": "cll", "libsvtav1": "content-light"}.get(encoder, "max-cll")
        parameters.append(f"{name}={average[0]},{average[1]}")
    return parameters


def _mastering(ratios: list[Fraction], encoder: str) -> str:
    red, green, blue, white = (ratios[i : i + 2] for i in (0, 2, 4, 6))
    darkest, brightest = ratios[8:]
    if encoder == "libsvtav1":
        points = "".join(f"{k}({float(p[0]):.5f},{float(p[1]):.5f})" for k, p in zip("GBR", (green, blue, red), strict=True))
        display = f"{points}WP({float(white[0]):.5f},{float(white[1]):.5f})L({float(brightest):.4f},{float(darkest):.4f})"
        return f"mastering-display={display}"
    # ST 2086 units: 0.00002 of chromaticity, 0.0001 cd/m2
    points = "".join(f"{k}({p[0] * 50000 // 1},{p[1] * 50000 // 1})" for k, p in zip("GBR", (green, blue, red), strict=True))
    display = f"{points}WP({white[0] * 50000 // 1},{white[1] * 50000 // 1})L({brightest * 10000 // 1},{darkest * 10000 // 1})"
    return f"{'mastering-display' if encoder == 'libx264' else 'master-display'}={display}"


def dynamic_metadata(frame: av.VideoFrame) -> list[str]:
    """Return the names of the frame's dynamic HDR metadata, which no encoder here can carry over."""
    return [name for name in _side_data(frame) or () if name in DYNAMIC]


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """Return the 3 x 3 display matrix (rotation, flips) of a frame as nine fixed-point numbers; None if it has none.

    Of a frame whose side data cannot be read, its rotation alone is known.
    """
    data = _side_data(frame)
    if data is None:
        return _rotation_matrix(frame.rotation) if frame.rotation else None
    content = data.get("DISPLAYMATRIX", b"")
    return list(struct.unpack_from("=9i", content)) if len(content) >= 36 else None


def _rotation_matrix(degrees: float) -> list[int]:
    """The display matrix of a rotation, counterclockwise."""
    turned = cmath.rect(1 << 16, math.radians(degrees))
    across, down = round(turned.real), round(turned.imag)
    return [across, -down, 0, down, across, 0, 0, 0, 1 << 30]
