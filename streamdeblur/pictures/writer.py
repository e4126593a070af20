"""Writing pictures: what a format can hold, and a picture as the bytes of a file."""

from __future__ import annotations

import io
import warnings as python_warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamdeblur.errors import OutputError
from streamdeblur.pictures import jpeg, png, tiff
from streamdeblur.pictures.picture import Kind, Picture

SUFFIXES: dict[str, Kind] = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF", ".tiff": "TIFF"
}  # fmt: skip
LARGEST_SIDE: dict[Kind, int] = {"PNG": 2**31 - 1, "JPEG": 65_500, "WEBP": 16_383, "AVIF": 32_768, "TIFF": 2**31 - 1}
"""Of libpng, libjpeg, libwebp, libavif and libtiff, in pixels."""
DEEP: tuple[Kind, ...] = ("PNG", "TIFF")
"""Formats that are written with 16 bits."""
JPEG_SETTINGS: dict[str, Any] = {"quality": 95, "subsampling": 0}
AVIF_SETTINGS: dict[str, Any] = {"quality": 95}
WEBP_SETTINGS: dict[str, Any] = {"lossless": True, "exact": True}
"""`exact` keeps the colours of pixels that are fully transparent."""
PNG_COMPRESSION = 6
PROFILE_SPACE = slice(16, 20)
"""The colour space in the header of an ICC profile."""


def kind_of_target(target: Path) -> Kind:
    """Return the format for the suffix of a file.

    Raises:
        OutputError: There is none.
    """
    try:
        return SUFFIXES[target.suffix.lower()]
    except KeyError:
        raise OutputError(f"Unknown kind of picture '{target.name}'. Use {', '.join(sorted(SUFFIXES))}.") from None


def check_fits(picture: Picture, target: Path) -> None:
    """Refuse a picture that the format of its target cannot hold.

    Raises:
        OutputError: It has transparency for JPEG, or too many pixels on a side.
    """
    kind = kind_of_target(target)
    height, width = picture.pixels.shape[:2]
    if kind == "JPEG" and picture.has_alpha:
        raise OutputError(f"JPEG has no transparency. Write {target.stem}.png or .webp instead.")
    if max(width, height) > LARGEST_SIDE[kind]:
        others = " or ".join(f".{other.lower()}" for other, side in LARGEST_SIDE.items() if side >= max(width, height))
        raise OutputError(
            f"{target} would have {width} x {height} pixels, and {kind} has at most {LARGEST_SIDE[kind]:,} on a side. "
            f"Write {others} instead."
        )


def encode_picture(picture: Picture, kind: Kind, warnings: list[str]) -> bytes:
    """Return a picture as the bytes of a file, with all its metadata that the format can hold.

    Args:
        picture: A picture that fits.
        kind: The format.
        warnings: What cannot be kept is added to these.
    """
    if kind != "PNG":
        warnings += _not_held(picture, kind)
    if kind not in DEEP:
        picture = _with_8_bits(picture, kind, warnings)
    return {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "AVIF": _avif, "TIFF": _tiff}[kind](picture, warnings)


def _png(picture: Picture, warnings: list[str]) -> bytes:
    encoded = _saved(picture, "PNG") if picture.pixels.dtype == np.uint8 else _encoded_16_bits(picture)
    return png.joined(encoded, png.chunks_of(picture.metadata))


def _encoded_16_bits(picture: Picture) -> bytes:
    """A PNG file of 16 bits, by OpenCV: Pillow writes colour of 8 bits only."""
    channels = picture.pixels.shape[2]
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(channels)
    pixels = picture.pixels if order is None else cv2.cvtColor(picture.pixels, order)
    settings = [
        cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
        cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_ALL_FILTERS,
    ]  # fmt: skip
    return cv2.imencode(".png", pixels, settings)[1].tobytes()


def _jpeg(picture: Picture, warnings: list[str]) -> bytes:
    metadata = picture.metadata
    density = tuple(round(dots) for dots in metadata.dpi or ())
    settings = {"dpi": density} if density and 1 <= min(density) <= max(density) <= 65_535 else {}
    return _saved(picture, "JPEG", **JPEG_SETTINGS, **settings, extra=jpeg.segments_of(metadata, warnings))


def _webp(picture: Picture, warnings: list[str]) -> bytes:
    metadata = picture.metadata
    # WebP has no gray: a profile for it does not describe the pixels
    profile = metadata.icc_profile if metadata.icc_profile[PROFILE_SPACE] != b"GRAY" else b""
    return _saved(picture, "WEBP", **WEBP_SETTINGS, exif=metadata.exif, xmp=metadata.xmp, icc_profile=profile)


def _avif(picture: Picture, warnings: list[str]) -> bytes:
    metadata, is_gray = picture.metadata, picture.pixels.shape[2] == 1
    exif = metadata.exif if metadata.exif.startswith(tiff.SIGNATURES) else b""
    if exif != metadata.exif:
        warnings.append(tiff.DAMAGED)
    settings = {**AVIF_SETTINGS, "subsampling": "4:0:0" if is_gray else "4:4:4"}
    with python_warnings.catch_warnings():
        # Pillow looks for the orientation, and finds what else is damaged, which is kept as it is
        python_warnings.simplefilter("ignore")
        return _saved(picture, "AVIF", **settings, exif=exif, xmp=metadata.xmp, icc_profile=metadata.icc_profile)


def _tiff(picture: Picture, warnings: list[str]) -> bytes:
    return tiff.file_of(picture.pixels, picture.metadata, warnings)


def _saved(picture: Picture, kind: Kind, **settings: Any) -> bytes:
    """A picture of 8 bits as a file of Pillow."""
    from PIL import Image

    pixels = picture.pixels[..., 0] if picture.pixels.shape[2] == 1 else picture.pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **settings)
    return file.getvalue()


def _with_8_bits(picture: Picture, kind: Kind, warnings: list[str]) -> Picture:
    if picture.pixels.dtype == np.uint8:
        return picture
    warnings.append(f"converted from 16 to 8 bits: {kind} has no more. Write .png or .tif to keep them")
    pixels = cv2.convertScaleAbs(picture.pixels, alpha=255 / 65_535).reshape(picture.pixels.shape)
    return picture.with_pixels(pixels.astype(np.uint8, copy=False))


def _not_held(picture: Picture, kind: Kind) -> list[str]:
    """What of the metadata has no place in a format other than PNG, in words."""
    metadata, warnings = picture.metadata, []
    texts = sorted(key for key in metadata.text if kind != "JPEG" or key != "Comment")
    if texts:
        warnings.append(f"text left out, since {kind} has no place for it: {', '.join(texts)}")
    if png.has_own_colours(metadata):
        warnings.append(f"colour space left out, since {kind} has no place for it: colours may look different")
    return warnings
