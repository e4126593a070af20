"""The tags of TIFF files (TIFF 6.0): which describe the picture, and files written with them."""

from __future__ import annotations

import io
import math
import struct
import warnings as python_warnings
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from streamdeblur.pictures.orientation import ORIENTATION, upright_xmp
from streamdeblur.pictures.picture import Metadata, Pixels

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

SIGNATURES = (b"II*\0", b"MM\0*")
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS, STRIP_SIZES = 273, 277, 278, 279
X_RESOLUTION, Y_RESOLUTION, PLANAR, UNIT, PREDICTOR, EXTRA, SAMPLE_FORMAT = 282, 283, 284, 296, 317, 338, 339
SUBFILE, TILE_WIDTH, RAW_VERSION = 254, 322, 50706
XMP, PROFILE, EXIF, GPS, INTEROPERABILITY = 700, 34675, 34665, 34853, 40965
EDITORS = {34377: "previews", 37724: "layers"}
"""What Photoshop adds, which shows the picture as it was."""
OF_PIXELS = {
    SUBFILE, 255, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, *range(263, 267), STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS,
    STRIP_SIZES, 280, 281, PLANAR, *range(288, 294), 301, PREDICTOR, 320, 321, TILE_WIDTH, *range(323, 326), 330,
    *range(332, 335), 336, 337, EXTRA, SAMPLE_FORMAT, *range(340, 343), 347, *range(512, 522), *range(529, 533),
}  # fmt: skip
"""Tags that say how the pixels are stored, or point at other pictures."""
NEEDED = {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS, STRIP_SIZES, PLANAR, PREDICTOR}
"""Those that FFmpeg decodes pixels of 16 bits by, beside `STRIP_OFFSETS`."""
INVERTED, GRAY, RGB = 0, 1, 2
"""Photometric interpretations that are read at 16 bits: 0 is white, 0 is black, colour."""
ASSOCIATED, UNASSOCIATED = 1, 2
"""Whether an extra sample is a transparency by which the colours are multiplied."""
DEFLATE, DIFFERENCES, INCHES, CENTIMETRES = 8, 2, 2, 3
STRIP_BYTES = 1 << 20
LARGEST_FILE = 2**32
"""Bytes: offsets have 32 bits."""
DAMAGED = "EXIF data is damaged and was left out"


def tags_of(data: bytes) -> ImageFileDirectory_v2:
    """Return the tags of the first picture in a TIFF file, which are read when they are looked up.

    Raises:
        Exception: The file is damaged.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags, file = ImageFileDirectory_v2(data[:8]), io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    return tags


def read_metadata(data: bytes, tags: ImageFileDirectory_v2, warnings: list[str]) -> Metadata:
    """Read the metadata of the upright picture from a TIFF file.

    Args:
        data: The file.
        tags: Those of its first picture.
        warnings: What is left out is added to these.
    """
    pages = _pages(data)
    if pages > 1:
        warnings.append(f"the first of {pages} pictures in the file was restored, and the others were left out")
    editor = [name for tag, name in EDITORS.items() if tag in tags]
    if editor:
        warnings.append(f"{' and '.join(editor)} of an image editor, which show the original picture, were left out")
    exif = _written(_described(data, warnings))
    xmp, profile = (_bytes(tags.get(tag)) for tag in (XMP, PROFILE))
    return Metadata("TIFF", exif, profile, upright_xmp(xmp), _dpi(tags))


def file_of(pixels: Pixels, metadata: Metadata, warnings: list[str]) -> bytes:
    """Return a TIFF file, compressed without loss.

    Args:
        pixels: uint8 or uint16 [H, W, C].
        metadata: The metadata of an upright picture.
        warnings: What cannot be kept is added to these.

    Raises:
        ValueError: It would have more than 4 GB.
    """
    height, width, channels = pixels.shape
    rows = max(1, STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = [zlib.compress(_differences(pixels[top : top + rows])) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    if sum(sizes) + len(metadata.exif) + len(metadata.xmp) + len(metadata.icc_profile) > LARGEST_FILE - STRIP_BYTES:
        raise ValueError("TIFF holds 4 GB")
    tags = {
        WIDTH: width, HEIGHT: height, BITS: (8 * pixels.itemsize,) * channels, COMPRESSION: DEFLATE, PREDICTOR: DIFFERENCES,
        PHOTOMETRIC: RGB if channels > 2 else GRAY, SAMPLES: channels, PLANAR: 1, SAMPLE_FORMAT: (1,) * channels, ROWS: rows,
        STRIP_OFFSETS: (0, *accumulate(sizes[:-1])), STRIP_SIZES: tuple(sizes), ORIENTATION: 1,
    }  # fmt: skip
    if channels in (2, 4):
        tags[EXTRA] = UNASSOCIATED
    if metadata.dpi:
        tags |= {X_RESOLUTION: metadata.dpi[0], Y_RESOLUTION: metadata.dpi[1], UNIT: INCHES}
    if metadata.xmp:
        tags[XMP] = metadata.xmp
    if metadata.icc_profile:
        tags[PROFILE] = metadata.icc_profile
    file = io.BytesIO()
    _directory(_described(metadata.exif, warnings) | tags).save(file)
    return b"".join([file.getvalue(), *strips])


def pixels_alone(data: bytes, tags: ImageFileDirectory_v2) -> bytes:
    """Return a TIFF file with the strips of another one, and only the tags that a decoder needs.

    Raises:
        ValueError: Strips are cut off or missing.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory, sizes = ImageFileDirectory_v2(data[:8]), tags[STRIP_SIZES]
    for tag in NEEDED & tags.keys():
        directory[tag] = tags[tag]
    strips = [data[begin : begin + size] for begin, size in zip(tags[STRIP_OFFSETS], sizes, strict=True)]
    planes = tags.get(SAMPLES, 1) if tags.get(PLANAR, 1) != 1 else 1
    if [len(strip) for strip in strips] != list(sizes) or len(sizes) != planes * -(-tags[HEIGHT] // tags[ROWS]):
        raise ValueError("it is cut off")
    directory[STRIP_OFFSETS] = (0, *accumulate(sizes[:-1]))
    file = io.BytesIO()
    directory.save(file)
    return b"".join([file.getvalue(), *strips])


def unassociated(pixels: Pixels) -> Pixels:
    """Return uint16 [H, W, 4] whose colours are no longer multiplied by their transparency."""
    divided = pixels.copy()
    # line by line, since the picture may be large
    for line in divided:
        alpha = np.maximum(line[:, 3:], 1).astype(np.float64)
        line[:, :3] = np.rint(line[:, :3] / alpha * 65_535).clip(0, 65_535)
    return divided


def _differences(pixels: Pixels) -> bytes:
    """Each sample less the one to the left of it, which is smaller when compressed."""
    changes = pixels.copy()
    changes[:, 1:] -= pixels[:, :-1]
    return changes.astype(changes.dtype.newbyteorder("<"), copy=False).tobytes()


def _described(exif: bytes, warnings: list[str]) -> dict[int, Any]:
    """The tags in a TIFF structure that describe the picture; those of EXIF and of its place are dictionaries of their own."""
    from PIL.Image import Exif

    if not exif:
        return {}
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("error")
            found = Exif()
            found.load(exif)
            tags = {tag: value for tag, value in found.items() if tag not in OF_PIXELS | EDITORS.keys() | {XMP, PROFILE}}
            for tag in {EXIF, GPS} & tags.keys():
                tags[tag] = dict(found.get_ifd(tag))
            if INTEROPERABILITY in tags.get(EXIF, {}):
                tags[EXIF][INTEROPERABILITY] = dict(found.get_ifd(INTEROPERABILITY))
            # what cannot be written is damaged, too
            _directory(tags).tobytes()
    # Pillow raises nearly every type of exception for damaged tags, and warns of others
    except Exception:
        warnings.append(DAMAGED)
        return {}
    return tags


def _written(tags: dict[int, Any]) -> bytes:
    """A TIFF structure of tags."""
    if not tags:
        return b""
    file = io.BytesIO()
    _directory(tags).save(file)
    return file.getvalue()


def _directory(tags: dict[int, Any]) -> ImageFileDirectory_v2:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory = ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    return directory


def _pages(data: bytes) -> int:
    """The number of directories that follow each other in a file."""
    order, found = {b"II": "<", b"MM": ">"}[data[:2]], set[int]()
    try:
        (place,) = struct.unpack_from(order + "I", data, 4)
        while place and place not in found:
            found.add(place)
            (count,) = struct.unpack_from(order + "H", data, place)
            (place,) = struct.unpack_from(order + "I", data, place + 2 + 12 * count)
    except struct.error:
        # the chain leads out of the file
        pass
    return len(found)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else bytes(value) if isinstance(value, tuple) else b""


def _dpi(tags: ImageFileDirectory_v2) -> tuple[float, float] | None:
    x, y, unit = tags.get(X_RESOLUTION), tags.get(Y_RESOLUTION), tags.get(UNIT, INCHES)
    if unit not in (INCHES, CENTIMETRES) or not x or not y:
        return None
    scale = 2.54 if unit == CENTIMETRES else 1.0
    across, down = float(x) * scale, float(y) * scale
    return (across, down) if 0 < min(across, down) <= max(across, down) < math.inf else None
