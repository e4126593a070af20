"""Pictures and short clips that are dropped on the page: restored, and given back."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.jobs.image import SUFFIXES as PICTURES
from streamdeblur.jobs.image import deblur_image
from streamdeblur.jobs.video import Progress
from streamdeblur.options import RestorationOptions, VideoOptions

LARGEST_BYTES = 100 * 2**20
"""Of an upload."""
LONGEST_SECONDS = 60.0
"""Of a clip; what is longer is cut."""
MOST_PICTURE_PIXELS = 40_000_000
MOST_CLIP_PIXELS = 3840 * 2176
"""Of a frame: 4K, padded to whole blocks."""
WORKING_SECONDS = 15 * 60.0
"""That one clip may take."""
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
    ".mp4": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm",
}  # fmt: skip
"""What can be uploaded, and what the result is sent as. A result of .mov is an .mp4."""
CLIP_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""FFmpeg's names for what these suffixes hold; whatever else a file turns out to be is refused."""


@dataclass(frozen=True)
class Result:
    """What became of an upload."""

    content: bytes
    kind: str
    """Its MIME type."""
    name: str
    told: str


def limits() -> dict[str, str]:
    """The limits, for the page."""
    return {
        "bytes": str(LARGEST_BYTES), "megabytes": str(LARGEST_BYTES // 2**20), "seconds": f"{LONGEST_SECONDS:g}",
        "megapixels": str(MOST_PICTURE_PIXELS // 1_000_000), "suffixes": ",".join(TYPES),
    }  # fmt: skip


def suffix_of(name: str) -> str:
    """The kind of an uploaded file by its name; only that is taken from it.

    Raises:
        InputError: it is none that is restored.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in TYPES:
        raise InputError(f"Only {', '.join(TYPES)} can be restored here.")
    return suffix


def check_size(size: int) -> None:
    """Raises InputError beyond the limit."""
    if size > LARGEST_BYTES:
        raise InputError(f"The file is larger than {LARGEST_BYTES // 2**20} MB.")


async def receive(chunks: AsyncIterator[bytes], target: Path) -> None:
    """Write an upload into a file.

    Raises:
        InputError: it is empty or too large; nothing beyond the limit is read.
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
    """A folder for one upload, gone with everything in it when it is closed."""
    return tempfile.TemporaryDirectory(prefix="streamdeblur-", ignore_cleanup_errors=True)


def restore(source: Path, options: RestorationOptions, wanted: Callable[[], bool]) -> Result:
    """Restore an uploaded file, which lies in a folder of its own, while `wanted()`.

    Raises:
        StreamDeblurError: it cannot be read or restored; the message names no path.
    """
    try:
        return _picture(source, options) if source.suffix in PICTURES else _clip(source, options, wanted)
    except StreamDeblurError as error:
        told = str(error).replace(str(source), "The file").replace("read The", "read the")
        # (what the command line offers is not on offer here)
        raise type(error)(told.partition(" Give --")[0]) from None


def _picture(source: Path, options: RestorationOptions) -> Result:
    from PIL import Image

    try:
        with Image.open(source, formats=sorted(set(PICTURES.values()))) as opened:
            if opened.width * opened.height > MOST_PICTURE_PIXELS:
                raise Image.DecompressionBombError
            opened.load()
    except Image.DecompressionBombError:
        raise InputError(f"The picture has more than {MOST_PICTURE_PIXELS // 1_000_000} million pixels.") from None
    except (OSError, SyntaxError, ValueError):
        raise InputError("The file is no PNG, JPEG or WebP picture, or it is damaged.") from None
    target = source.with_name(f"restored{source.suffix}")
    with FaceDeblurrer(options) as deblurrer:
        summary = deblur_image(source, target, deblurrer)
    return Result(target.read_bytes(), TYPES[source.suffix], target.name, _told(summary.faces, summary.restored))


def _clip(source: Path, options: RestorationOptions, wanted: Callable[[], bool]) -> Result:
    from streamdeblur.jobs.video import deblur_video

    def go_on(progress: Progress) -> None:
        if not wanted():
            raise InputError("Nobody waits for the clip any more.")
        if progress.seconds > WORKING_SECONDS:
            raise InputError(f"The clip takes longer than {WORKING_SECONDS / 60:g} minutes. Use a shorter or smaller one.")

    _check_clip(source)
    target = source.with_name("restored.webm" if source.suffix == ".webm" else "restored.mp4")
    summary = deblur_video(source, target, VideoOptions(restoration=options, duration=LONGEST_SECONDS), on_progress=go_on)
    return Result(target.read_bytes(), TYPES[target.suffix], target.name, _told(summary.faces, summary.restored))


def _check_clip(source: Path) -> None:
    from streamdeblur.video.source import open_source

    with open_source(source) as container:
        if container.format.name not in CLIP_FORMATS:
            raise InputError("The file is no MP4, MOV or WebM clip.")
        if not container.streams.video:
            raise InputError("The clip has no video stream.")
        video = container.streams.video[0]
        if video.width * video.height > MOST_CLIP_PIXELS:
            raise InputError(f"The frames of the clip are larger than 4K ({video.width} x {video.height}).")


def _told(faces: int, restored: int) -> str:
    if not faces:
        return "No face was found."
    if not restored:
        return "The faces are sharp already."
    return f"{restored} of {faces} faces restored" + ("." if restored == faces else "; the others are sharp already.")
