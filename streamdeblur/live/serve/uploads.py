"""Pictures and short clips that are dropped on the page: restored, and given back."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError
from streamdeblur.image import SUFFIXES as PICTURES
from streamdeblur.image import deblur_image
from streamdeblur.options import Options
from streamdeblur.video.encoders import SUFFIXES as VIDEOS

LARGEST_BYTES = 100 * 2**20
"""Of an upload."""
LONGEST_SECONDS = 60.0
"""Of a clip; what is longer is cut."""
MOST_PIXELS = 40_000_000
"""Of a picture or a frame."""
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
    ".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/mp4",
}  # fmt: skip
"""What can be uploaded, and what the result is sent as. A result of .mov is an .mp4."""


@dataclass(frozen=True)
class Result:
    """What became of an upload."""

    content: bytes
    kind: str
    """Its MIME type."""
    name: str
    told: str


def suffix_of(name: str) -> str:
    """The kind of an uploaded file by its name; only that is taken from it.

    Raises:
        InputError: it is none that is restored.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in TYPES or suffix not in (*PICTURES, *VIDEOS):
        raise InputError(f"Only {', '.join(TYPES)} can be restored here.")
    return suffix


async def received(chunks: AsyncIterator[bytes], target: Path) -> None:
    """Write an upload into a file.

    Raises:
        InputError: it is empty or too large; nothing beyond the limit is read.
    """
    size = 0
    with target.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > LARGEST_BYTES:
                raise InputError(f"The file is larger than {LARGEST_BYTES // 2**20} MB.")
            file.write(chunk)
    if not size:
        raise InputError("The file is empty.")


def restored(source: Path, options: Options) -> Result:
    """Restore an uploaded file, which lies in a folder of its own.

    Raises:
        StreamDeblurError: it cannot be read or restored; the message holds no path.
    """
    if source.suffix in PICTURES:
        return _picture(source, options)
    return _clip(source, options)


def _picture(source: Path, options: Options) -> Result:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source, formats=["PNG", "JPEG", "WEBP"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise InputError(f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels.")
    except (OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        raise InputError("The file is no picture that can be read.") from None
    target = source.with_name(f"restored{source.suffix}")
    with FaceDeblurrer(options) as deblurrer:
        summary = deblur_image(source, target, deblurrer)
    return Result(target.read_bytes(), TYPES[source.suffix], target.name, _told(summary.faces, summary.restored))


def _clip(source: Path, options: Options) -> Result:
    from streamdeblur.video.source import open_source
    from streamdeblur.video.transcode import deblur_video

    try:
        with open_source(source) as container:
            video = container.streams.video
            if not video:
                raise InputError("The clip has no video stream.")
            if video[0].width * video[0].height > MOST_PIXELS:
                raise InputError(f"The clip has more than {MOST_PIXELS // 1_000_000} million pixels per frame.")
        target = source.with_name("restored.webm" if source.suffix == ".webm" else "restored.mp4")
        summary = deblur_video(source, target, options.changed(duration=LONGEST_SECONDS))
    except InputError as error:
        raise InputError(str(error).replace(str(source), "The file")) from None
    return Result(target.read_bytes(), TYPES[target.suffix], target.name, _told(summary.faces, summary.restored))


def _told(faces: int, restored_faces: int) -> str:
    return "No face was found." if not faces else f"{restored_faces} of {faces} faces restored; the others are sharp already."


def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for one upload, gone with everything in it when it is closed."""
    return tempfile.TemporaryDirectory(prefix="streamdeblur-")
