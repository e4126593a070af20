"""The chunks of PNG files (W3C PNG, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from streamdeblur.pictures.orientation import upright_exif, upright_xmp
from streamdeblur.pictures.picture import Metadata

Chunk: TypeAlias = tuple[bytes, bytes]
"""Name and content."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_EXIF_KEYWORDS = ("Raw profile type exif", "Raw profile type APP1")
"""Texts in which EXIF data was stored before PNG had a chunk for it."""
COLOUR_CHUNKS = {b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"mDCV", b"cLLI"}
CREDENTIALS = b"caBX"
"""C2PA's signature of the pixels."""
LARGEST_PROFILE, LARGEST_TEXT = 2**24, 2**20
"""Bytes that are unpacked. Pillow, for one, does not open files with longer texts."""
LENGTHS = {b"pHYs": 9, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
"""Bytes of chunks that always have as many."""
METRES_PER_INCH = 0.0254
SRGB_GAMMA = 45_455
"""1 / 2.2 in units of 1 / 100,000."""


def split_chunks(data: bytes, warnings: list[str]) -> tuple[bytes, list[Chunk]]:
    """Separate the chunks that a decoder needs from those that describe the picture.

    Args:
        data: A PNG file.
        warnings: Chunks that are damaged or too large, and are left out, are added to these.

    Returns:
        A PNG file that holds the pixels alone, and the other chunks.
    """
    pixels, described, position = [SIGNATURE], list[Chunk](), len(SIGNATURE)
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if name == b"tRNS" or not name[0] & 0x20 or end > len(data):
            pixels.append(data[position:end])
        elif _is_sound(data[position + 4 : end]):
            described.append((name, data[position + 8 : end - 4]))
        else:
            warnings.append(f"the chunk {name.decode('latin-1')!r} is damaged or too large and was left out")
        position = end
        if name == b"IEND":
            break
    return b"".join(pixels), described


def is_animated(chunks: Iterable[Chunk]) -> bool:
    """Return whether an animation control chunk announces several frames."""
    return any(name == b"acTL" and int.from_bytes(content[:4], "big") > 1 for name, content in chunks)


def read_metadata(chunks: Sequence[Chunk], warnings: list[str]) -> tuple[int, Metadata]:
    """Read metadata from the chunks of a PNG file.

    Args:
        chunks: The chunks that describe the picture.
        warnings: What cannot be kept is added to these.

    Returns:
        The orientation of the pixels, and the metadata of the upright picture.
    """
    first = dict(reversed(chunks))
    texts = dict(filter(None, (_text(*chunk) for chunk in chunks)))
    raw_exif = [_raw_profile(texts.pop(key)) for key in RAW_EXIF_KEYWORDS if key in texts]
    orientation, exif = upright_exif(first.get(b"eXIf") or b"".join(raw_exif[:1]))
    xmp = upright_xmp(texts.pop(XMP_KEYWORD, "").encode())
    if CREDENTIALS in first:
        warnings.append("content credentials (C2PA), which sign the original pixels, were left out")
    rewritten = tuple(key.encode() + b"\0" for key in (XMP_KEYWORD, *RAW_EXIF_KEYWORDS))
    copied = [(name, content) for name, content in chunks if _stays_valid(name) and not content.startswith(rewritten)]
    dpi, profile = _dpi(first.get(b"pHYs", b"")), _profile(first.get(b"iCCP", b"")) or b""
    parts = (*copied, *_exif_chunks(exif), *_xmp_chunks(xmp))
    return orientation, Metadata("PNG", exif, profile, xmp, dpi, texts, parts)


def has_own_colours(metadata: Metadata) -> bool:
    """Return whether chunks declare colours that neither sRGB nor the colour profile describes."""
    content = dict(metadata.parts) if metadata.kind == "PNG" else {}
    gamma = int.from_bytes(content.get(b"gAMA", b""), "big")
    is_described = bool(metadata.icc_profile) or b"sRGB" in content
    return b"cICP" in content or (not is_described and gamma not in (0, SRGB_GAMMA))


def chunks_of(metadata: Metadata) -> list[Chunk]:
    """Return the chunks for metadata: those it was read from, or new ones."""
    if metadata.kind == "PNG":
        return list(metadata.parts)
    chunks = [*_exif_chunks(metadata.exif), *_xmp_chunks(metadata.xmp)]
    if metadata.icc_profile:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc_profile)))
    if metadata.dpi:
        per_metre = [min(round(dots / METRES_PER_INCH), 2**31 - 1) for dots in metadata.dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    return chunks + [_international_text(key, value) for key, value in metadata.text.items()]


def joined(encoded: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Return a PNG file with chunks put before its pixels."""
    header_end = len(SIGNATURE) + 25
    pieces = [encoded[:header_end]]
    for name, content in chunks:
        pieces.append(struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content)))
    return b"".join([*pieces, encoded[header_end:]])


def _is_sound(chunk: bytes) -> bool:
    """Whether other programs can read a chunk: name, content and checksum."""
    name, content = chunk[:4], chunk[4:-4]
    if not name.isalpha() or zlib.crc32(chunk[:-4]) != int.from_bytes(chunk[-4:], "big"):
        return False
    if name == b"iCCP":
        return _profile(content) is not None
    if name in (b"zTXt", b"iTXt"):
        return _text(name, content) is not None
    return len(content) == LENGTHS.get(name, len(content))


def _stays_valid(name: bytes) -> bool:
    """Whether a chunk is copied: those about colour, and those that are declared independent of the pixels."""
    return name != b"eXIf" and (name in COLOUR_CHUNKS or bool(name[3] & 0x20))


def _exif_chunks(exif: bytes) -> list[Chunk]:
    return [(b"eXIf", exif)] if exif else []


def _xmp_chunks(xmp: bytes) -> list[Chunk]:
    return [_international_text(XMP_KEYWORD, xmp.decode("utf-8", "replace"))] if xmp else []


def _international_text(keyword: str, text: str) -> Chunk:
    return b"iTXt", keyword.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode()


def _text(name: bytes, content: bytes) -> tuple[str, str] | None:
    """Keyword and text of a tEXt, zTXt or iTXt chunk; None for other chunks and where it cannot be unpacked."""
    keyword, _, value = content.partition(b"\0")
    text: bytes | None
    if name == b"tEXt":
        text, encoding = value, "latin-1"
    elif name == b"zTXt":
        text, encoding = _inflated(value[1:], LARGEST_TEXT), "latin-1"
    elif name == b"iTXt":
        packed, encoding = value[2:].split(b"\0", 2)[-1], "utf-8"
        text = _inflated(packed, LARGEST_TEXT) if value[:1] == b"\1" else packed
    else:
        return None
    return None if text is None else (keyword.decode("latin-1"), text.decode(encoding, "replace"))


def _inflated(data: bytes, limit: int) -> bytes | None:
    """The unpacked data; None where it is damaged or larger than the limit."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, limit)
    except zlib.error:
        return None
    return unpacked if unpacker.eof else None


def _profile(content: bytes) -> bytes | None:
    """The colour profile in an iCCP chunk; None where it cannot be unpacked."""
    return _inflated(content.partition(b"\0")[2][1:], LARGEST_PROFILE)


def _raw_profile(text: str) -> bytes:
    """The EXIF data in a text: its kind, its length and hexadecimal digits, each on lines of their own."""
    try:
        exif = bytes.fromhex("".join(text.split()[2:]))
    except ValueError:
        return b""
    return exif.removeprefix(b"Exif\0\0")


def _dpi(content: bytes) -> tuple[float, float] | None:
    """Dots per inch in a pHYs chunk, where its unit is the metre."""
    if len(content) != 9 or content[8] != 1:
        return None
    x, y = struct.unpack_from(">II", content)
    return x * METRES_PER_INCH, y * METRES_PER_INCH
