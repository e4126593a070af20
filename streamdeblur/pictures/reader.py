"""Reading pictures: which files are accepted, and their pixels as arrays."""

from __future__ import annotations

import io
import os
import warnings as python_warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamdeblur.errors import InputError
from streamdeblur.pictures import avif, jpeg, png, tiff
from streamdeblur.pictures.orientation import turned, upright_exif, upright_xmp
from streamdeblur.pictures.picture import Kind, Metadata, Picture, Pixels
from streamdeblur.video.copying import plane_lines

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

LARGEST_PIXELS = 400_000_000
"""Pictures with more pixels are refused before they are decoded, whatever a small file claims."""
LARGEST_PIXELS_16_BITS = 200_000_000
LARGEST_PIXELS_WEBP = 178_000_000
"""Pillow has this limit, too, since libwebp needs memory for two pictures."""
LARGEST_PIXELS_AVIF = 2**28
"""libavif's own limit."""
LARGEST_FILE = 2**32
"""Bytes of a file."""
EXIF_PREFIX = b"Exif\0\0"


def read_picture(source: Path, warnings: list[str], *, max_pixels: int = LARGEST_PIXELS) -> Picture:
    """Read a PNG, JPEG, WebP, AVIF or TIFF file.

    Args:
        source: The file.
        warnings: What is converted or cannot be kept is added to these.
        max_pixels: Pictures with more pixels are refused before they are decoded; of some kinds fewer are accepted in any case.

    Raises:
        InputError: The file cannot be read, is animated, or is too large.
    """
    data = _content(source)
    kind = kind_of(data)
    if kind is None:
        raise InputError(f"{source} {'is not a PNG, JPEG, WebP, AVIF or TIFF picture' if data else 'is empty'}.")
    try:
        with python_warnings.catch_warnings(record=True) as said:
            python_warnings.simplefilter("always")
            picture = _READERS[kind](source, data, warnings, max_pixels)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"There is not enough memory for {source}.") from None
    # Pillow's decoders raise nearly every type of exception for damaged files: OSError, SyntaxError, ValueError, struct.error,
    # zlib.error, OverflowError ...
    except Exception as error:
        raise InputError(f"Cannot read {source}: it is damaged ({str(error) or type(error).__name__}).") from error
    warnings += sorted({str(warning.message).strip() for warning in said})
    return picture


def kind_of(data: bytes) -> Kind | None:
    """Return the format of a picture file by its first bytes; None for any other file."""
    if data.startswith(png.SIGNATURE):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(tiff.SIGNATURES):
        return "TIFF"
    if data[4:12] in avif.SIGNATURES:
        return "AVIF"
    return "WEBP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _content(source: Path) -> bytes:
    """The bytes of a file, or only the first ones if it is not a picture."""
    try:
        with source.open("rb") as file:
            first = file.read(16)
            if kind_of(first) is None:
                return first
            # a read with a limit would allocate all of it at once
            if os.fstat(file.fileno()).st_size > LARGEST_FILE:
                raise InputError(f"{source} has more than {LARGEST_FILE // 2**30} GB.")
            return first + file.read()
    except IsADirectoryError:
        raise InputError(f"{source} is a folder. Give a picture, or pictures and folders with --out DIR.") from None
    except FileNotFoundError:
        raise InputError(f"No such file: {source}.") from None
    except (OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        raise InputError(f"Cannot read {source}: {reason}.") from None


def _read_png(source: Path, data: bytes, warnings: list[str], max_pixels: int) -> Picture:
    from PIL.PngImagePlugin import PngImageFile

    alone, chunks = png.split_chunks(data, warnings)
    if png.is_animated(chunks):
        raise _animated(source)
    opened = PngImageFile(io.BytesIO(alone))
    depth, is_gray = alone[24], alone[25] == 0
    is_deep = depth == 16
    limit = LARGEST_PIXELS_16_BITS if is_deep else LARGEST_PIXELS
    _check_size(source, opened.width, opened.height, min(limit, max_pixels))
    # Pillow reads colour of 16 bits as 8 bits; that it can proves that the file is whole, which OpenCV does not check.
    opened.load()
    orientation, metadata = png.read_metadata(chunks, warnings)
    transparent = opened.info.get("transparency") if is_gray else None
    if is_deep:
        pixels = _pixels_of_16_bits(alone)
        if transparent is not None:
            # OpenCV takes note of a transparent colour, and not of a transparent gray
            alpha = (pixels != transparent).astype(np.uint16) * np.uint16(65_535)
            pixels = np.concatenate([pixels, pixels, pixels, alpha], axis=2)
        return Picture(turned(pixels, orientation), metadata)
    if transparent is not None and depth in (2, 4):
        # Pillow widens gray to 8 bits, and not the one that is transparent
        opened.info["transparency"] = transparent * 255 // (2**depth - 1)
    return _converted(opened, orientation, metadata, warnings)


def _read_jpeg(source: Path, data: bytes, warnings: list[str], max_pixels: int) -> Picture:
    from PIL.JpegImagePlugin import JpegImageFile

    # not by Image.open, which takes a picture with another one embedded for an animation
    opened = JpegImageFile(io.BytesIO(data))
    _check_size(source, opened.width, opened.height, min(LARGEST_PIXELS, max_pixels))
    profile, dpi = opened.info.get("icc_profile") or b"", opened.info.get("dpi")
    orientation, metadata = jpeg.read_metadata(opened.applist, profile, dpi, warnings)
    return _converted(opened, orientation, metadata, warnings)


def _read_webp(source: Path, data: bytes, warnings: list[str], max_pixels: int) -> Picture:
    from PIL.Image import DecompressionBombError
    from PIL.WebPImagePlugin import WebPImageFile

    limit = min(LARGEST_PIXELS_WEBP, max_pixels)
    try:
        opened = WebPImageFile(io.BytesIO(data))
    except DecompressionBombError:
        raise _too_large(source, limit) from None
    if getattr(opened, "n_frames", 1) > 1:
        raise _animated(source)
    _check_size(source, opened.width, opened.height, limit)
    orientation, exif = upright_exif(opened.info.get("exif", b"").removeprefix(EXIF_PREFIX))
    metadata = Metadata("WEBP", exif, opened.info.get("icc_profile", b""), upright_xmp(opened.info.get("xmp", b"")))
    return _converted(opened, orientation, metadata, warnings)


def _read_avif(source: Path, data: bytes, warnings: list[str], max_pixels: int) -> Picture:
    from PIL.AvifImagePlugin import AvifImageFile

    opened = AvifImageFile(io.BytesIO(data))
    if getattr(opened, "n_frames", 1) > 1:
        raise _animated(source)
    _check_size(source, opened.width, opened.height, min(LARGEST_PIXELS_AVIF, max_pixels))
    warnings += avif.lost_when_read(data)
    orientation, exif = upright_exif(opened.info.get("exif", b"").removeprefix(EXIF_PREFIX))
    metadata = Metadata("AVIF", exif, opened.info.get("icc_profile") or b"", upright_xmp(opened.info.get("xmp", b"")))
    return _converted(opened, orientation, metadata, warnings)


def _read_tiff(source: Path, data: bytes, warnings: list[str], max_pixels: int) -> Picture:
    from PIL.TiffImagePlugin import TiffImageFile

    tags = tiff.tags_of(data)
    if tags.get(tiff.SUBFILE, 0) & 1 or tiff.RAW_VERSION in tags:
        raise InputError(f"{source} holds what the sensor of a camera saw. Develop it, and give the picture that this makes.")
    bits = set(tags.get(tiff.BITS, (1,)))
    if not (bits <= {1, 2, 4, 8} or bits == {16}) or set(tags.get(tiff.SAMPLE_FORMAT, (1,))) != {1}:
        raise InputError(
            f"{source} has samples of a kind that is not read (of 9 to 15 bits or more than 16, with a sign, or floating-point "
            "numbers). Save it with 8 or 16 bits."
        )
    if not {tiff.WIDTH, tiff.HEIGHT, tiff.PHOTOMETRIC} <= tags.keys():
        raise ValueError("it does not say what its samples are")
    is_deep = bits == {16} and tags[tiff.PHOTOMETRIC] in (tiff.INVERTED, tiff.GRAY, tiff.RGB)
    limit = LARGEST_PIXELS_16_BITS if is_deep else LARGEST_PIXELS
    _check_size(source, int(tags[tiff.WIDTH]), int(tags[tiff.HEIGHT]), min(limit, max_pixels))
    metadata = tiff.read_metadata(data, tags, warnings)
    # one picture, which no decoder turns by itself
    orientation, alone = upright_exif(data)
    if is_deep:
        return Picture(turned(_tiff_of_16_bits(source, alone, tags, warnings), orientation), metadata)
    return _converted(TiffImageFile(io.BytesIO(alone)), orientation, metadata, warnings)


_READERS = {"PNG": _read_png, "JPEG": _read_jpeg, "WEBP": _read_webp, "AVIF": _read_avif, "TIFF": _read_tiff}


def _animated(source: Path) -> InputError:
    return InputError(f"{source} is animated. Convert it to a video and use 'streamdeblur video'.")


def _check_size(source: Path, width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise _too_large(source, limit)


def _too_large(source: Path, limit: int) -> InputError:
    return InputError(f"{source} has more than {limit // 1_000_000} million pixels, the most of its kind that are accepted.")


def _pixels_of_16_bits(data: bytes) -> Pixels:
    """Gray, RGB or RGBA, uint16 [H, W, C], of a PNG or TIFF file; gray with alpha becomes RGBA."""
    # what is damaged is told once, by us
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("its samples of 16 bits cannot be decoded")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    else:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return pixels.astype(np.uint16, copy=False)


def _tiff_of_16_bits(source: Path, data: bytes, tags: ImageFileDirectory_v2, warnings: list[str]) -> Pixels:
    """Gray, RGB or RGBA, uint16 [H, W, C], of a TIFF file; gray with alpha becomes RGBA."""
    channels, colours = tags.get(tiff.SAMPLES, 1), 3 if tags[tiff.PHOTOMETRIC] == tiff.RGB else 1
    planar = channels > 1 and tags.get(tiff.PLANAR, 1) != 1
    if channels in (colours, 4) and not planar:
        pixels = _pixels_of_16_bits(data)
    elif (channels, planar) in ((2, False), (3, True)) and tiff.TILE_WIDTH not in tags:
        pixels = _decoded_by_ffmpeg(tiff.pixels_alone(data, tags))
        channels = pixels.shape[2]
    else:
        raise InputError(
            f"{source} has samples of 16 bits in an order that is not read. Save it with the samples of each pixel together."
        )
    if pixels.shape != (tags[tiff.HEIGHT], tags[tiff.WIDTH], channels):
        raise ValueError("its tags contradict its samples")
    if tags[tiff.PHOTOMETRIC] == tiff.INVERTED and channels == 1:
        return 65_535 - pixels
    if channels == 4 and tags.get(tiff.EXTRA, (0,))[0] == tiff.ASSOCIATED and pixels[..., 3].min() < 65_535:
        warnings.append("colours that were multiplied by their transparency are stored without it")
        return tiff.unassociated(pixels)
    return pixels


def _decoded_by_ffmpeg(data: bytes) -> Pixels:
    """What OpenCV does not decode of TIFF files with 16 bits: RGB in planes, and gray with alpha as RGBA; uint16 [H, W, C]."""
    import av

    codec = av.CodecContext.create("tiff", "r")
    # or what is missing of a damaged picture would be black
    codec.options = {"err_detect": "explode"}
    (frame,) = codec.decode(av.Packet(data))
    if not frame.format.name.startswith("ya16"):
        return frame.to_ndarray().astype(np.uint16, copy=False)
    samples = plane_lines(frame.planes[0])[: frame.height, : 4 * frame.width]
    order = "<u2" if frame.format.name.endswith("le") else ">u2"
    return np.ascontiguousarray(samples).view(order).reshape(frame.height, -1, 2)[..., [0, 0, 0, 1]].astype(np.uint16)


def _converted(opened: Image, orientation: int, metadata: Metadata, warnings: list[str]) -> Picture:
    """The picture as gray or RGB of 8 bits, with alpha where anything is transparent."""
    mode = _mode_for(opened)
    if opened.mode == "CMYK":
        opened, metadata = _from_cmyk(opened, metadata, warnings)
    elif opened.mode not in ("L", "LA", "RGB", "RGBA"):
        warnings.append(f"converted from {_MODE_NAMES.get(opened.mode, opened.mode)} to {mode}, 8 bits")
    pixels = np.array(opened if opened.mode == mode else opened.convert(mode))
    return Picture(turned(pixels[..., None] if pixels.ndim == 2 else pixels, orientation), metadata)


_MODE_NAMES = {"P": "a palette", "PA": "a palette", "1": "1 bit"}


def _mode_for(picture: Image) -> str:
    transparent = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    colour = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    return colour + "A" * transparent


def _from_cmyk(picture: Image, metadata: Metadata, warnings: list[str]) -> tuple[Image, Metadata]:
    """The picture in RGB: in sRGB by its colour profile, or by complement if it has none that can be used."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc_profile))
        converted = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        assert converted is not None
        way = "by its colour profile"
    except (ImageCms.PyCMSError, OSError, ValueError):
        converted, way = picture.convert("RGB"), "without a colour profile, so colours may look different"
    warnings.append(f"converted from CMYK to RGB {way}")
    return converted, replace(metadata, icc_profile=b"")
