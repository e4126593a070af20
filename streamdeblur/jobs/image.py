"""deblur_image: the faces of a still picture; everything else in the file stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError, OutputError, StreamDeblurError
from streamdeblur.files import check_target
from streamdeblur.jobs.batch import VIDEO_SUFFIXES
from streamdeblur.jobs.sheet import comparison_sheet
from streamdeblur.jobs.summary import JobSummary
from streamdeblur.partial_file import write_file
from streamdeblur.pictures.picture import Metadata, Picture, Pixels
from streamdeblur.pictures.reader import LARGEST_PIXELS, read_picture
from streamdeblur.pictures.writer import SUFFIXES, check_fits, encode_picture, kind_of_target
from streamdeblur.video.layouts import layout_of
from streamdeblur.video.planes import array_planes, planes_of_arrays

__all__ = ["SUFFIXES", "ImageSummary", "deblur_image"]

UNSPECIFIED_MATRIX = 2
"""H.273's MatrixCoefficients of pixels that have none."""


class ImageSummary(JobSummary):
    """What was done to a picture."""


def deblur_image(
    source: str | Path,
    target: str | Path,
    deblurrer: FaceDeblurrer,
    *,
    overwrite: bool = False,
    side_by_side: bool = False,
    max_pixels: int = LARGEST_PIXELS,
) -> ImageSummary:
    """Restore the faces of a PNG, JPEG, WebP, AVIF or TIFF file.

    The picture is turned upright by its EXIF orientation. Transparency and metadata (EXIF, XMP, colour profile, texts) are kept
    where the format of the target holds them; a warning names what is left out. PNG and TIFF are written at the depth of the
    source, 8 or 16 bits. They and WebP are written without loss, JPEG and AVIF at quality 95. Warnings are logged, and are in the
    summary.

    Args:
        source: The picture.
        target: The file to write; its suffix decides the format.
        deblurrer: An open deblurrer; it is reset.
        overwrite: Replace the target if it exists.
        side_by_side: Write a comparison instead: the picture before and after, without transparency and at 8 bits, and each face
            enlarged with what was done with it.
        max_pixels: Pictures with more pixels are refused.

    Raises:
        InputError: The picture cannot be read, is animated, or is too large.
        OutputError: The target cannot be written or cannot hold the picture, or exists and `overwrite` is not set.
    """
    source, target = Path(source), Path(target)
    warnings: list[str] = []
    picture = _read(source, warnings, max_pixels)
    check_target(source, target, overwrite=overwrite)
    if side_by_side:
        kind_of_target(target)
    else:
        check_fits(picture, target)
    deblurrer.reset()
    before = _rgb(picture.pixels) if side_by_side else None
    sharp = picture.with_pixels(_restored(picture.pixels, deblurrer))
    if before is not None:
        planes = array_planes(before), array_planes(_rgb(sharp.pixels))
        sheet = comparison_sheet(*planes, deblurrer.decisions, deblurrer.threshold)
        sharp = Picture(sheet, Metadata(picture.metadata.kind, icc_profile=_profile_of_rgb(picture)))
    write_file(target, _encoded(sharp, target, warnings))
    return ImageSummary.of(source, target, deblurrer, warnings)


def _read(source: Path, warnings: list[str], max_pixels: int) -> Picture:
    try:
        return read_picture(source, warnings, max_pixels=max_pixels)
    except InputError as error:
        if source.is_file() and source.suffix.lower() in VIDEO_SUFFIXES:
            raise InputError(f"{error} Videos are restored by `streamdeblur video`.") from error
        raise


def _restored(pixels: Pixels, deblurrer: FaceDeblurrer) -> Pixels:
    """The pixels [H, W, C] with restored faces; their array is changed."""
    height, width, channels = pixels.shape
    if channels == 2:
        gray = _restored(np.ascontiguousarray(pixels[..., :1]), deblurrer)
        return np.concatenate([gray, pixels[..., 1:]], axis=2)
    formats = ("gray", "rgb24", "rgba") if pixels.dtype == np.uint8 else ("gray16le", "rgb48le", "rgba64le")
    layout = layout_of(dict(zip((1, 3, 4), formats, strict=True))[channels])
    assert layout is not None
    samples = {0: pixels.reshape(height, -1)}
    deblurrer.edit(planes_of_arrays(samples, layout, width, height, colorspace=UNSPECIFIED_MATRIX, full_range=True))
    return pixels


def _rgb(pixels: Pixels) -> NDArray[np.uint8]:
    """A copy of pixels [H, W, C] as uint8 RGB [H, W, 3], without transparency."""
    eight = pixels if pixels.dtype == np.uint8 else pixels >> 8
    colours = eight[..., :3] if pixels.shape[2] >= 3 else np.repeat(eight[..., :1], 3, axis=2)
    return np.array(colours, np.uint8, order="C")


def _profile_of_rgb(picture: Picture) -> bytes:
    """The colour profile of a picture, if its pixels are RGB."""
    return picture.metadata.icc_profile if picture.pixels.shape[2] >= 3 else b""


def _encoded(picture: Picture, target: Path, warnings: list[str]) -> bytes:
    try:
        return encode_picture(picture, kind_of_target(target), warnings)
    except StreamDeblurError:
        raise
    # Encoders refuse with nearly every type of exception: OSError, ValueError, cv2.error, MemoryError ...
    except Exception as error:
        raise OutputError(f"Cannot write {target}: {str(error) or type(error).__name__}.") from error
