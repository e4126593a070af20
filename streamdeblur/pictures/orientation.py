"""Turning pictures upright, by the orientation in their EXIF data."""

from __future__ import annotations

import re
import struct

import numpy as np

from streamdeblur.pictures.picture import Pixels

ORIENTATION = 0x0112
"""Tag of the orientation in EXIF 3.0, 4.6.5.1."""
SHORT = 3
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))\s*[1-8]""")


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Return the pixels [H, W, C] as they are meant to be seen, for an orientation of 1 to 8; others leave them as they are."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def upright_exif(exif: bytes) -> tuple[int, bytes]:
    """Read the orientation from EXIF data, and set it to upright.

    Nothing else is moved, so that maker notes with absolute offsets stay valid. The thumbnail, which shows the picture as it was,
    is taken out of the chain of directories.

    Args:
        exif: A TIFF structure.

    Returns:
        The orientation, 1 to 8, and the changed EXIF data; 1 and the given data where they cannot be read.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    changed, orientation = bytearray(exif), 1
    try:
        if order is None:
            return 1, exif
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, entry)
            if (tag, kind) == (ORIENTATION, SHORT) and 1 <= value <= 8:
                orientation = value
                struct.pack_into(order + "H", changed, entry + 8, 1)
        struct.pack_into(order + "I", changed, directory + 2 + 12 * count, 0)
    except struct.error:
        return 1, exif
    return orientation, bytes(changed)


def upright_xmp(xmp: bytes) -> bytes:
    """Return XMP data with its copy of the orientation set to upright."""
    return XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
