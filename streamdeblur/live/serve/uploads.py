"""Uploaded pictures and short clips: validation and restoration."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.jobs.image import SUFFIXES as PICTURES
from streamdeblur.jobs.image import deblur_image
from streamdeblur.jobs.video import Progress
from streamdeblur.options import RestorationOptions, VideoOptions

MAX_BYTES = 100 * 2**20
"""Upper limit of the size of an upload."""
MAX_CLIP_SECONDS = 60.0
"""Length to which clips are cut."""
MAX_PICTURE_PIXELS = 40_000_000
MAX_CLIP_PIXELS = 3840 * 2176
"""Upper limit of the size of a frame: 4K, padded to whole blocks."""
MAX_WORKING_SECONDS = 15 * 60.0
"""Upper limit of the processing time of a clip."""
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
    ".mp4": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm",
}  # fmt: skip
"""MIME types of the results by suffix of the upload. The result of a .mov file is an .mp4 file."""
CLIP_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""FFmpeg's names of the container formats of these suffixes; other formats are refused."""


@dataclass(frozen=True)
class UploadResult:
    """The result of an upload."""

    content: bytes = field(repr=False)
    mime_type: str
    name: str
    """File name."""
    message: str
    """What was restored, for the user."""


def limits() -> dict[str, str]:
    """Return the limits as values of the placeholders of the page."""
    return {
        "bytes": str(MAX_BYTES), "megabytes": str(MAX_BYTES // 2**20), "seconds": f"{MAX_CLIP_SECONDS:g}",
        "megapixels": str(MAX_PICTURE_PIXELS // 1_000_000), "suffixes": ",".join(TYPES),
    }  # fmt: skip


def suffix_of(name: str) -> str:
    """Return the suffix of the name of an upload; nothing else of the name is used.

    Raises:
        InputError: It is not one of the supported file types.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in TYPES:
        raise InputError(f"Unsupported file type. Supported: {', '.join(TYPES)}.")
    return suffix


def check_size(size: int) -> None:
    """Raise InputError if an upload of this size in bytes is too large."""
    if size > MAX_BYTES:
        raise InputError(f"The file is larger than {MAX_BYTES // 2**20} MB.")


async def receive(chunks: AsyncIterator[bytes], target: Path) -> None:
    """Write an upload to a file.

    Raises:
        InputError: It is empty or too large; nothing beyond the limit is read.
    """
    size = 0
    with target.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            check_size(size)
            file.write(chunk)
    if not size:
        raise InputError("The file is empty.")


def folder() -> tempfile.TemporaryDirectory[str]:
    """Provide a temporary folder for one upload, which is removed with its content when it is closed."""
    return tempfile.TemporaryDirectory(prefix="streamdeblur-", ignore_cleanup_errors=True)


def restore(source: Path, options: RestorationOptions, is_wanted: Callable[[], bool]) -> UploadResult:
    """Restore an uploaded file.

    Args:
        source: The file, in a folder of its own.
        options: Settings of the restoration.
        is_wanted: Whether the client still waits; asked while a clip is restored.

    Raises:
        StreamDeblurError: The file cannot be read or restored; the message contains no path.
    """
    try:
        return _restore_picture(source, options) if source.suffix in PICTURES else _restore_clip(source, options, is_wanted)
    except StreamDeblurError as error:
        message = str(error).replace(str(source), "The file").replace("read The", "read the")
        # Advice about options of the command line does not apply here.
        raise type(error)(message.partition(" Give --")[0]) from None


def _restore_picture(source: Path, options: RestorationOptions) -> UploadResult:
    from PIL import Image

    try:
        with Image.open(source, formats=sorted(set(PICTURES.values()))) as opened:
            if opened.width * opened.height > MAX_PICTURE_PIXELS:
                raise Image.DecompressionBombError
            opened.load()
    except Image.DecompressionBombError:
        raise InputError(f"The picture has more than {MAX_PICTURE_PIXELS // 1_000_000} million pixels.") from None
    except (OSError, SyntaxError, ValueError):
        raise InputError("The file is not a PNG, JPEG or WebP picture, or it is damaged.") from None
    target = source.with_name(f"restored{source.suffix}")
    with FaceDeblurrer(options) as deblurrer:
        summary = deblur_image(source, target, deblurrer)
    return UploadResult(target.read_bytes(), TYPES[source.suffix], target.name, _message(summary.faces, summary.restored))


def _restore_clip(source: Path, options: RestorationOptions, is_wanted: Callable[[], bool]) -> UploadResult:
    from streamdeblur.jobs.video import deblur_video

    def check(progress: Progress) -> None:
        if not is_wanted():
            raise InputError("The client has closed the connection.")
        if progress.seconds > MAX_WORKING_SECONDS:
            raise InputError(f"The clip takes longer than {MAX_WORKING_SECONDS / 60:g} minutes. Use a shorter or smaller one.")

    _check_clip(source)
    target = source.with_name("restored.webm" if source.suffix == ".webm" else "restored.mp4")
    summary = deblur_video(source, target, VideoOptions(restoration=options, duration=MAX_CLIP_SECONDS), on_progress=check)
    return UploadResult(target.read_bytes(), TYPES[target.suffix], target.name, _message(summary.faces, summary.restored))


def _check_clip(source: Path) -> None:
    from streamdeblur.video.source import open_source

    with open_source(source) as container:
        if container.format.name not in CLIP_FORMATS:
            raise InputError("The file is not an MP4, MOV or WebM clip.")
        if not container.streams.video:
            raise InputError("The clip has no video stream.")
        video = container.streams.video[0]
        if video.width * video.height > MAX_CLIP_PIXELS:
            raise InputError(f"The frames of the clip are larger than 4K ({video.width} x {video.height}).")


def _message(faces: int, restored: int) -> str:
    if not faces:
        return "No face was found."
    if not restored:
        return "The faces are sharp already."
    return f"{restored} of {faces} faces restored" + ("." if restored == faces else "; the others are sharp already.")
