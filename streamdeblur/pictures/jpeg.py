"""The segments of JPEG files that describe the picture (ITU-T T.81, JFIF 1.02, EXIF 3.0, XMP part 3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from streamdeblur.pictures.orientation import upright_exif, upright_xmp
from streamdeblur.pictures.picture import Metadata

Segment: TypeAlias = tuple[bytes, bytes]
"""Marker and content."""

APP1, APP2, COMMENT = b"\xff\xe1", b"\xff\xe2", b"\xff\xfe"
EXIF, XMP, PROFILE, OTHER_PICTURES = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"MPF\0"
LARGEST_SEGMENT = 65_533
"""Bytes of content."""
PROFILE_PART = LARGEST_SEGMENT - len(PROFILE) - 2
PROFILE_PARTS = 255
MOTION_PHOTO = re.compile(rb"""((?:MotionPhoto|MicroVideo)\s*=\s*["'])1""")
"""XMP's announcement of a clip behind the picture."""


def read_metadata(
    segments: Sequence[tuple[str, bytes]], profile: bytes, dpi: tuple[float, float] | None, warnings: list[str]
) -> tuple[int, Metadata]:
    """Read metadata from the segments of a JPEG file.

    Args:
        segments: Name (APP0 to APP15, COM) and content of each, in the order of the file.
        profile: The colour profile, joined from its segments.
        dpi: Dots per inch.
        warnings: What cannot be kept is added to these.

    Returns:
        The orientation of the pixels, and the metadata of the upright picture.
    """
    orientation, parts = 1, list[Segment]()
    for name, content in segments:
        if name == "APP1" and content.startswith(EXIF):
            turned, exif = upright_exif(content[len(EXIF) :])
            orientation, content = (turned if orientation == 1 else orientation), EXIF + exif
        elif name == "APP1" and content.startswith(XMP):
            content = MOTION_PHOTO.sub(rb"\g<1>0", upright_xmp(content))
        if _stays_valid(name, content):
            parts.append((COMMENT if name == "COM" else bytes([0xFF, 0xE0 + int(name[3:])]), content))
    warnings += _left_out(segments)
    exif = b"".join(_contents(parts, APP1, EXIF))
    comments = [content.rstrip(b"\0").decode("utf-8", "replace") for content in _contents(parts, COMMENT)]
    text = {"Comment": "\n".join(comments)} if comments else {}
    return orientation, Metadata("JPEG", exif, profile, b"".join(_contents(parts, APP1, XMP)[:1]), dpi, text, tuple(parts))


def segments_of(metadata: Metadata, warnings: list[str]) -> bytes:
    """Return the segments for metadata: those it was read from, or new ones.

    Args:
        metadata: The metadata of an upright picture.
        warnings: What does not fit in a JPEG file is added to these.
    """
    if metadata.kind == "JPEG":
        parts: Iterable[Segment] = metadata.parts if metadata.icc_profile else _without_profile(metadata.parts)
        return b"".join(_segment(*part) for part in parts)
    comment = metadata.text.get("Comment", "").encode()
    blocks = [("EXIF data", APP1, EXIF, metadata.exif), ("XMP data", APP1, XMP, metadata.xmp), ("comment", COMMENT, b"", comment)]
    written = [_segment(*part) for part in _profile_segments(metadata.icc_profile, warnings)]
    for name, marker, prefix, content in blocks:
        if len(prefix + content) > LARGEST_SEGMENT:
            limit = LARGEST_SEGMENT - len(prefix)
            warnings.append(f"{name} of {len(content):,} bytes left out: JPEG holds {limit:,} bytes")
        elif content:
            written.append(_segment(marker, prefix + content))
    return b"".join(written)


def _segment(marker: bytes, content: bytes) -> bytes:
    return marker + (len(content) + 2).to_bytes(2, "big") + content


def _profile_segments(profile: bytes, warnings: list[str]) -> list[Segment]:
    pieces = [profile[start : start + PROFILE_PART] for start in range(0, len(profile), PROFILE_PART)]
    if len(pieces) > PROFILE_PARTS:
        warnings.append(f"colour profile of {len(profile):,} bytes left out, so colours may look different: JPEG holds 16 MB")
        return []
    return [(APP2, PROFILE + bytes([number, len(pieces)]) + piece) for number, piece in enumerate(pieces, 1)]


def _without_profile(parts: Iterable[Segment]) -> list[Segment]:
    return [(marker, content) for marker, content in parts if not (marker == APP2 and content.startswith(PROFILE))]


def _stays_valid(name: str, content: bytes) -> bool:
    """Whether a segment is copied: not how the pixels are stored (JFIF, Adobe), other pictures, nor signatures (JUMBF)."""
    return name not in ("APP0", "APP11", "APP14") and not (name == "APP2" and content.startswith(OTHER_PICTURES))


def _left_out(segments: Sequence[tuple[str, bytes]]) -> list[str]:
    """What a user misses in the output, in words."""
    warnings = []
    if any(name == "APP2" and content.startswith(OTHER_PICTURES) for name, content in segments):
        warnings.append("other pictures embedded in the file (a preview, a gain map or a second view) were left out")
    if any(name == "APP1" and MOTION_PHOTO.search(content) for name, content in segments):
        warnings.append("the clip of the motion photo was left out")
    if any(name == "APP11" for name, _ in segments):
        warnings.append("content credentials (C2PA), which sign the original pixels, were left out")
    return warnings


def _contents(parts: Iterable[Segment], marker: bytes, prefix: bytes = b"") -> list[bytes]:
    """The contents of segments with a marker and a prefix, which is taken off."""
    return [content[len(prefix) :] for found, content in parts if found == marker and content.startswith(prefix)]
