"""deblur_image: the faces of a still picture; everything else in the file stays as it was."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError, OutputError
from streamdeblur.files import check_target
from streamdeblur.jobs.summary import JobSummary
from streamdeblur.partial_file import write_file

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SETTINGS: dict[str, dict[str, Any]] = {"PNG": {}, "JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
"""How each kind is written: without loss where it can be."""
LARGEST_PIXELS = 400_000_000
"""Pictures with more pixels are refused, whatever a small file claims."""


class ImageSummary(JobSummary):
    """What was done to a picture."""


def deblur_image(source: str | Path, target: str | Path, deblurrer: FaceDeblurrer, *, overwrite: bool = False) -> ImageSummary:
    """Restore the faces of a PNG, JPEG or WebP file.

    The picture is turned upright by its EXIF orientation; EXIF, colour profile and transparency are kept. PNG and WebP are
    written without loss, JPEG at quality 95. Warnings are logged, and are in the summary.

    Args:
        source: The picture.
        target: The file to write; its suffix decides the format.
        deblurrer: An open deblurrer; it is reset.
        overwrite: Replace the target if it exists.

    Raises:
        InputError: The picture cannot be read, or is animated.
        OutputError: The target cannot be written, or exists and `overwrite` is not set.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in SUFFIXES:
        raise OutputError(f"Unknown kind of picture '{target.name}'. Use {', '.join(sorted(SUFFIXES))}.")
    warnings: list[str] = []
    picture = _read(source, warnings)
    check_target(source, target, overwrite=overwrite)
    deblurrer.reset()
    sharp = _deblurred(picture, deblurrer)
    _write(sharp, target)
    return ImageSummary.of(source, target, deblurrer, warnings)


def _read(source: Path, warnings: list[str]) -> Image.Image:
    """The picture upright, in mode L, LA, RGB or RGBA."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = LARGEST_PIXELS
    try:
        opened = Image.open(source, formats=sorted(set(SUFFIXES.values())))
        if getattr(opened, "n_frames", 1) > 1:
            raise InputError(f"{source} is animated. Convert it to a video and use 'streamdeblur video'.")
        picture = ImageOps.exif_transpose(opened)
        assert picture is not None
    except IsADirectoryError:
        raise InputError(f"{source} is a folder. Give a picture, or pictures and folders with --out DIR.") from None
    except FileNotFoundError:
        raise InputError(f"No such file: {source}.") from None
    except UnidentifiedImageError:
        found = "is empty" if source.stat().st_size == 0 else "is not a PNG, JPEG or WebP picture"
        raise InputError(f"{source} {found}.") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"Cannot read {source}: {getattr(error, 'strerror', None) or error}.") from None
    if picture.mode not in ("L", "LA", "RGB", "RGBA"):
        transparent = "transparency" in picture.info or picture.mode in ("PA", "La", "RGBa")
        mode = "RGBA" if transparent else "L" if picture.mode in ("1", "I;16", "I", "F") else "RGB"
        warnings.append(f"converted from {picture.mode} to {mode}, 8 bits")
        info = dict(picture.info)
        if picture.mode.startswith("I"):
            picture = picture.point(lambda value: value / 256)
        picture = picture.convert(mode)
        # a profile of another colour space (CMYK) does not describe the converted pixels
        picture.info = {key: value for key, value in info.items() if key != "icc_profile" or mode == "L"}
    return picture


def _deblurred(picture: Image.Image, deblurrer: FaceDeblurrer) -> Image.Image:
    from PIL import Image

    pixels = np.asarray(picture)
    if picture.mode in ("LA", "RGBA"):
        colour = pixels[..., 0] if picture.mode == "LA" else pixels[..., :3]
        sharp = np.dstack([deblurrer(np.ascontiguousarray(colour)), pixels[..., -1]])
    else:
        sharp = deblurrer(pixels)
    result = Image.fromarray(sharp, picture.mode)
    result.info = picture.info
    return result


def _write(picture: Image.Image, target: Path) -> None:
    kind = SUFFIXES[target.suffix.lower()]
    if kind == "JPEG" and picture.mode in ("RGBA", "LA"):
        raise OutputError(f"JPEG has no transparency. Write {target.stem}.png or .webp instead.")
    settings: dict[str, Any] = dict(SETTINGS[kind])
    settings |= {key: picture.info[key] for key in ("exif", "icc_profile", "dpi") if picture.info.get(key)}
    encoded = io.BytesIO()
    try:
        picture.save(encoded, kind, **settings)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    write_file(target, encoded.getvalue())
