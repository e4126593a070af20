"""Damaged pictures: valid small files of many kinds, changed in their structure or in their bytes."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from streamdeblur.pictures.picture import Metadata, Picture
from streamdeblur.pictures.writer import encode_picture

Chunks: TypeAlias = list[tuple[bytes, bytes]]

EXIF = b"Exif\0\0II*\0" + struct.pack("<IHHHIIHHIII", 8, 2, 0x0112, 3, 1, 6, 0x010F, 2, 4, 0x41424344, 0)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
JPEG_PREFIXES = (b"Exif\0\0II*\0", b"Exif\0\0MM\0*", b"MPF\0II*\0", b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\7\3", b"")
SIZES = (0, 1, 2, 255, 256, 16_384, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)


def valid_pictures(pixels: NDArray[np.uint8]) -> list[tuple[str, bytes]]:
    """Return pictures of all kinds that are read and of some that are not: suffix and content of each."""
    picture = Image.fromarray(pixels)
    alpha = Image.fromarray(np.dstack([pixels, pixels[..., 0]]))
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "text" * 20, zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    both = {"icc_profile": b"\0" * 600, "exif": EXIF}
    frames = {"save_all": True, "append_images": [picture.rotate(90), picture]}
    found = [("png", _saved(picture.convert(mode), "PNG")) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
    found += [("png", _saved(picture, "PNG", pnginfo=text, dpi=(72, 72), **both)), ("png", _saved(picture, "PNG", **frames))]
    found.append(("png", _saved(picture.convert("P"), "PNG", transparency=3)))
    for channels in (1, 3, 4):
        deep = np.dstack([pixels, pixels[..., :1]])[..., :channels].astype(np.uint16) * 257
        found.append(("png", cv2.imencode(".png", deep)[1].tobytes()))
    found += [("jpg", _saved(picture.convert(mode), "JPEG", **both)) for mode in ("L", "RGB", "CMYK")]
    found += [("jpg", _saved(picture, "JPEG", progressive=True, xmp=XMP, comment="c", dpi=(72, 72)))]
    found += [("jpg", _saved(picture, "MPO", **frames)), ("jpg", _saved(picture, "JPEG", restart_marker_rows=1, subsampling=2))]
    found += [("webp", _saved(picture, "WEBP", lossless=lossless, xmp=XMP, **both)) for lossless in (True, False)]
    found += [("webp", _saved(alpha, "WEBP", lossless=lossless)) for lossless in (True, False)]
    found += [("webp", _saved(picture, "WEBP", **frames))]
    found += [("avif", _saved(each, "AVIF", xmp=XMP, **both)) for each in (picture, alpha, picture.convert("L"))]
    found.append(("avif", _saved(picture, "AVIF", **frames)))
    # copies, because a picture keeps settings of the JPEG encoder, which that of TIFF does not take
    found.append(("tif", _saved(picture.copy(), "TIFF", save_all=True, append_images=[picture.rotate(90)])))
    found += [("tif", _saved(picture.convert(mode), "TIFF", **both)) for mode in ("1", "L", "P", "RGBA", "CMYK", "F", "I;16")]
    found += [
        ("tif", _saved(picture.copy(), "TIFF", compression=way)) for way in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate")
    ]
    for channels in (1, 3, 4):
        deep = np.dstack([pixels, pixels[..., :1]])[..., :channels].astype(np.uint16) * 257
        found.append(("tif", encode_picture(Picture(deep, Metadata("PNG", exif=EXIF[6:], xmp=XMP)), "TIFF", [])))
    for number, kind in enumerate(("BMP", "GIF", "ICO", "JPEG2000", "PPM", "TGA")):
        found.append((("png", "jpg", "webp")[number % 3], _saved(picture, kind)))
    return found


def damaged(content: bytes, others: list[bytes], seed: int) -> bytes:
    """Return a picture with one to three damages, the same for the same seed."""
    generator = random.Random(seed)
    for _ in range(generator.randint(1, 3)):
        ways: list[Callable[[bytes, random.Random], bytes]] = [_bytes_changed]
        if content.startswith(b"\x89PNG"):
            ways += [_png_changed] * 3
        elif content.startswith(b"\xff\xd8"):
            ways += [_jpeg_changed] * 3
        elif content.startswith(b"RIFF"):
            ways += [_riff_changed] * 3
        elif content.startswith((b"II*\0", b"MM\0*")):
            ways += [_tiff_changed] * 3
        elif content[4:8] == b"ftyp":
            ways += [_boxes_changed] * 3
        if generator.random() < 0.05:
            cut = generator.randrange(len(content) + 1)
            content = content[:cut] + generator.choice(others)[cut:]
        else:
            content = generator.choice(ways)(content, generator)
    return content


def _saved(picture: Image.Image, kind: str, **settings: object) -> bytes:
    picture.save(file := io.BytesIO(), kind, **settings)
    return file.getvalue()


def _bytes_changed(content: bytes, generator: random.Random) -> bytes:
    data = bytearray(content)
    place = generator.randrange(len(data) + 1)
    length = generator.choice((1, 2, 4, 16, 200))
    way = generator.randrange(6)
    if way == 0:
        return bytes(data[:place])
    if way == 1:
        data[place : place + length] = bytes(min(length, len(data) - place))
    elif way == 2:
        data[place:place] = generator.randbytes(length)
    elif way == 3:
        del data[place : place + length]
    elif way == 4:
        data[place:place] = data[place : place + length] * generator.choice((1, 50))
    else:
        for _ in range(length):
            if data:
                data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    return bytes(data)


def _png_changed(content: bytes, generator: random.Random) -> bytes:
    """Change a chunk and give it the right checksum; or its length, which then is wrong."""
    chunks = _png_chunks(content)
    if not chunks:
        return content
    place = generator.randrange(len(chunks))
    name, data = chunks[place]
    way = generator.randrange(9)
    if way == 0:
        chunks[place] = (name, _bytes_changed(data, generator))
    elif way == 1:
        chunks[place] = (bytes(generator.choice((name, b"zzzz", b"\0\0\0\0", b"IDAT", b"PLTE", b"tRNS", b"acTL"))), data)
    elif way == 2:
        del chunks[place]
    elif way == 3:
        chunks.insert(generator.randrange(len(chunks)), chunks[place])
    elif way == 4 and chunks[0][0] == b"IHDR" and len(chunks[0][1]) == 13:
        chunks[0] = (b"IHDR", _header_changed(chunks[0][1], generator))
    elif way == 5:
        bomb = zlib.compress(bytes(generator.choice((1_000, 30_000_000))))
        chunks.insert(1, generator.choice(((b"iCCP", b"p\0\0" + bomb), (b"zTXt", b"Comment\0\0" + bomb), (b"IDAT", bomb))))
    elif way == 6:
        name = generator.choice(
            (b"eXIf", b"iCCP", b"tEXt", b"iTXt", b"zTXt", b"pHYs", b"gAMA", b"cHRM", b"tRNS", b"acTL", b"cICP")
        )
        chunks.insert(1, (name, generator.randbytes(generator.choice((0, 1, 4, 8, 9, 32, 70_000)))))
    elif way == 7:
        joined = bytearray(_png_joined(chunks))
        struct.pack_into(">I", joined, 8 + sum(12 + len(other) for _, other in chunks[:place]), generator.choice(SIZES))
        return bytes(joined)
    return _png_joined(chunks)


def _header_changed(header: bytes, generator: random.Random) -> bytes:
    data = bytearray(header)
    if generator.random() < 0.6:
        struct.pack_into(">I", data, generator.choice((0, 4)), generator.choice(SIZES))
    else:
        data[generator.randrange(8, 13)] = generator.choice((0, 1, 2, 3, 4, 6, 8, 16, 32, 255))
    return bytes(data)


def _png_chunks(content: bytes) -> Chunks:
    chunks, place = [], 8
    while place + 12 <= len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        chunks.append((name, content[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def _png_joined(chunks: Chunks) -> bytes:
    pieces = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


def _jpeg_changed(content: bytes, generator: random.Random) -> bytes:
    """Change a segment before the first scan."""
    segments, place = [], 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        segments.append(content[place:end])
        place = end
    if not segments:
        return content
    number, way = generator.randrange(len(segments)), generator.randrange(6)
    segment = segments[number]
    if way == 0:
        body = _bytes_changed(segment[4:], generator)[:65_533]
        segments[number] = segment[:2] + struct.pack(">H", len(body) + 2) + body
    elif way == 1:
        del segments[number]
    elif way == 2:
        segments.insert(generator.randrange(len(segments)), segment)
    elif way == 3:
        segments[number] = segment[:2] + generator.randbytes(2) + segment[4:]
    elif way == 4:
        frames = [n for n, one in enumerate(segments) if one[1] in (0xC0, 0xC1, 0xC2) and len(one) > 9]
        for n in frames:
            changed = bytearray(segments[n])
            struct.pack_into(">H", changed, generator.choice((5, 7)), generator.choice(SIZES[:7]))
            segments[n] = bytes(changed)
    else:
        prefix = generator.choice(JPEG_PREFIXES)
        body = prefix + generator.randbytes(generator.choice((0, 2, 20, 60_000)))
        segments.insert(0, bytes([0xFF, generator.randrange(0xE0, 0xFF)]) + struct.pack(">H", len(body) + 2) + body)
    return content[:2] + b"".join(segments) + content[place:]


def _tiff_changed(content: bytes, generator: random.Random) -> bytes:
    """Change an entry of the first directory: its tag, its type, its count or its value; or the place of the directory."""
    data, order = bytearray(content), "<" if content[:2] == b"II" else ">"
    (place,) = struct.unpack_from(order + "I", data, 4)
    if place + 2 > len(data) or generator.random() < 0.1:
        struct.pack_into(order + "I", data, 4, generator.choice((*SIZES, 8, len(data) - 4)))
        return bytes(data)
    (count,) = struct.unpack_from(order + "H", data, place)
    entry, way = place + 2 + 12 * generator.randrange(count + 1), generator.randrange(4)
    if entry + 12 <= len(data):
        if way == 0:
            tag = generator.choice((254, 256, 258, 259, 262, 273, 274, 277, 278, 284, 317, 322, 330, 338, 339, 700, 34665, 34675))
            struct.pack_into(order + "H", data, entry, tag)
        elif way == 1:
            struct.pack_into(order + "H", data, entry + 2, generator.randrange(20))
        else:
            struct.pack_into(order + "I", data, entry + 4 * (way - 1), generator.choice((*SIZES, 8, 65, 300)))
    return bytes(data)


def _boxes_changed(content: bytes, generator: random.Random) -> bytes:
    """Change the length, the name or the content of a box that AVIF files have."""
    data = bytearray(content)
    names = (b"meta", b"iloc", b"iinf", b"iprp", b"ipco", b"ispe", b"pixi", b"av1C", b"colr", b"ipma", b"iref", b"mdat", b"moov")
    found = [place for name in names if (place := data.find(name)) >= 4]
    if not found:
        return content
    place, way = generator.choice(found), generator.randrange(3)
    if way == 0:
        struct.pack_into(">I", data, place - 4, generator.choice(SIZES))
    elif way == 1:
        data[place : place + 4] = generator.choice((*names, b"free"))
    else:
        target = place + 4 + generator.randrange(24)
        data[target : target + 4] = generator.randbytes(4)
    return bytes(data)


def _riff_changed(content: bytes, generator: random.Random) -> bytes:
    """Change a length, a name, or the header of the first chunk of a WebP file."""
    data = bytearray(content)
    places, place = [], 12
    while place + 8 <= len(data):
        places.append(place)
        place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        place += place & 1
    if not places:
        return content
    place, way = generator.choice(places), generator.randrange(4)
    if way == 0:
        struct.pack_into("<I", data, generator.choice((4, place + 4)), generator.choice(SIZES))
    elif way == 1:
        data[place : place + 4] = generator.choice((b"VP8X", b"VP8 ", b"VP8L", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"ICCP"))
    elif way == 2:
        data[place + 8 : place + 18] = generator.randbytes(10)
    else:
        data[place:place] = generator.choice((b"EXIF", b"XMP ", b"ICCP")) + struct.pack("<I", 40) + generator.randbytes(40)
    return bytes(data)
