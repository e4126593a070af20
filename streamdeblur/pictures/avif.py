"""What AVIF files say of their pixels that is lost when they are read as 8 bits (ISO/IEC 23008-12, AV1-ISOBMFF)."""

from __future__ import annotations

SIGNATURES = (b"ftypavif", b"ftypavis")
CONFIGURATION, COLOURS = b"av1C", b"colrnclx"
MORE_THAN_8_BITS = 0x40
"""`high_bitdepth` in the third byte of the configuration."""
ORDINARY = {b"\0\1", b"\0\2"}, {b"\0\1", b"\0\2", b"\0\6", b"\0\x0d"}
"""Code points (H.273) of primaries and transfer functions that are, or are shown as, those of sRGB."""


def lost_when_read(data: bytes) -> list[str]:
    """Return in words what is converted, or left out, when a file is read with 8 bits and as sRGB."""
    lost = []
    depth = data.find(CONFIGURATION) + len(CONFIGURATION) + 2
    if depth < len(data) and CONFIGURATION in data and data[depth] & MORE_THAN_8_BITS:
        lost.append("converted from more than 8 bits to 8: AVIF is read with no more")
    place = data.find(COLOURS) + len(COLOURS)
    if COLOURS in data and not all(data[place + 2 * n :][:2] in codes for n, codes in enumerate(ORDINARY)):
        lost.append("colour space (a wide gamut or HDR) left out: colours may look different")
    return lost
