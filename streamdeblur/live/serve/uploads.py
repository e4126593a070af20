"""Uploaded pictures and short clips: their limits, how they arrive, and how they are restored."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import InputError, OutputError, StreamDeblurError
from streamdeblur.jobs.image import SUFFIXES as PICTURES
from streamdeblur.jobs.image import deblur_image
from streamdeblur.jobs.summary import JobSummary
from streamdeblur.jobs.video import Progress
from streamdeblur.live.serve.upload_settings import UploadProgress, UploadSettings
from streamdeblur.options import VideoOptions

MAX_BYTES = 100 * 2**20
"""Upper limit of the size of an upload."""
MAX_CLIP_SECONDS = 60.0
"""Length to which clips are cut."""
MAX_PICTURE_PIXELS = 40_000_000
MAX_CLIP_PIXELS = 3840 * 2176
"""Upper limit of the size of a frame: 4K, padded to whole blocks."""
MAX_CLIP_FRAMES = 60 * 120
"""Upper limit of the number of frames of a clip: 60 seconds at 120 per second."""
MAX_WORKING_SECONDS = 15 * 60.0
"""Upper limit of the processing time of a file."""
RECEIVING_SECONDS = 300.0
"""Upper limit of the time for an upload to arrive."""
SILENT_SECONDS = 10.0
"""Upper limit of the time without any data of an upload that is arriving."""
LEAST_RATE = 16 * 2**10
"""Bytes per second that an upload has to arrive with on average, after the first `SILENT_SECONDS`."""
MAX_WARNINGS = 3
"""Warnings that are shown on the page; the message travels in a header."""
SPARE_BYTES = 2 * 2**30
"""Space that is left on the disk of the temporary folder before an upload is accepted."""
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
    ".avif": "image/avif", ".tif": "image/tiff", ".tiff": "image/tiff",
    ".mp4": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm",
}  # fmt: skip
"""MIME types of the results by suffix of the upload. The result of a .mov file is an .mp4 file."""
CLIP_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""FFmpeg's names of the container formats of these suffixes; other formats are refused."""


@dataclass(frozen=True)
class UploadResult:
    """The result of an upload."""

    path: Path
    """The file, in the folder of the upload."""
    mime_type: str
    message: str
    """What was restored, for the user."""
    faces: int
    """Faces detected, one per face and frame."""
    first_second: float = 0.0
    """Time of the upload, from its first frame on, at which a clip begins."""
    frame_seconds: float = 0.0
    """Mean time between two frames of a clip; 0 where it is unknown."""


class FullError(OutputError):
    """There is not enough space for an upload."""


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


def check_space(folder: Path) -> None:
    """Raise FullError if the disk of the folder has no space for an upload and its result."""
    if shutil.disk_usage(folder).free < SPARE_BYTES:
        raise FullError("The computer that runs streamdeblur has too little space for temporary files.")


async def receive(chunks: AsyncIterator[bytes], target: Path) -> None:
    """Write an upload to a file.

    Raises:
        InputError: It is empty or too large; nothing beyond the limit is read.
        TimeoutError: It arrives too slowly.
        FullError: The disk is full.
    """
    size, began = 0, time.monotonic()
    with target.open("wb") as file:
        async with asyncio.timeout(RECEIVING_SECONDS), aclosing(_in_time(chunks)) as arriving:
            async for chunk in arriving:
                size += len(chunk)
                check_size(size)
                _write(file, chunk)
                seconds = time.monotonic() - began
                if seconds > SILENT_SECONDS and size < LEAST_RATE * seconds:
                    raise TimeoutError
    if not size:
        raise InputError("The file is empty.")


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what arrives; TimeoutError if nothing does for too long."""
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        yield chunk


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FullError("The computer that runs streamdeblur has no space left for temporary files.") from None


def folder(parent: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """Provide a temporary folder for uploads, or for one of them, which is removed with its content when it is closed."""
    return tempfile.TemporaryDirectory(prefix="streamdeblur-", dir=parent, ignore_cleanup_errors=True)


def restore(
    source: Path, deblurrer: FaceDeblurrer, settings: UploadSettings, on_progress: Callable[[UploadProgress], object]
) -> UploadResult:
    """Restore an uploaded file.

    Args:
        source: The file, in a folder of its own, where the result is written, too.
        deblurrer: An open deblurrer; it is reset.
        settings: Those of this upload; times are ignored for pictures.
        on_progress: Called after each frame of a clip.

    Raises:
        StreamDeblurError: The file cannot be read or restored; the message contains no path.
    """
    strength, usual = settings.strength, deblurrer.options
    try:
        deblurrer.options = usual if strength is None else usual.changed(strength=strength)
        if source.suffix in PICTURES:
            return _restore_picture(source, deblurrer)
        return _restore_clip(source, deblurrer, settings, on_progress)
    except StreamDeblurError as error:
        raise type(error)(_without_paths(str(error), source)) from None
    finally:
        deblurrer.options = usual


def _without_paths(message: str, source: Path) -> str:
    """A message for the client, which knows neither the folders nor the command line of the server."""
    message = message.replace(str(source), "the file").replace(f"{source.parent}{os.sep}", "").replace("--start", "The time")
    message = message.partition(" Give --")[0]
    return message[:1].upper() + message[1:]


def _restore_picture(source: Path, deblurrer: FaceDeblurrer) -> UploadResult:
    if deblurrer.options.names_a_track:
        raise InputError(f"No picture is restored here: --only is {deblurrer.options.only}, and only videos have tracks.")
    target = source.with_name(f"restored{source.suffix}")
    summary = deblur_image(source, target, deblurrer, max_pixels=MAX_PICTURE_PIXELS)
    return UploadResult(target, TYPES[source.suffix], _message(summary), summary.faces)


def _restore_clip(
    source: Path, deblurrer: FaceDeblurrer, settings: UploadSettings, on_progress: Callable[[UploadProgress], object]
) -> UploadResult:
    from streamdeblur.jobs.video import deblur_video

    def check(progress: Progress) -> None:
        if progress.frames > MAX_CLIP_FRAMES:
            raise InputError(f"The clip has more than {MAX_CLIP_FRAMES:,} frames in {MAX_CLIP_SECONDS:g} seconds.")
        on_progress(UploadProgress(progress.share or 0.0, progress.seconds_left))

    _check_clip(source)
    target = source.with_name("restored.webm" if source.suffix == ".webm" else "restored.mp4")
    start, end = settings.start, settings.end
    duration = MAX_CLIP_SECONDS if end is None else min(end - start, MAX_CLIP_SECONDS)
    options = VideoOptions(restoration=deblurrer.options, start=start, duration=duration)
    summary = deblur_video(source, target, options, on_progress=check, deblurrer=deblurrer, max_pixels=MAX_CLIP_PIXELS)
    first, interval = _first_frame_and_interval(target)
    return UploadResult(target, TYPES[target.suffix], _message(summary), summary.faces, start + first if start else 0.0, interval)


def _first_frame_and_interval(clip: Path) -> tuple[float, float]:
    """The time stamp of the first frame of a result, and the mean time between two frames, 0 where it is unknown; in seconds."""
    from streamdeblur.video.source import open_source

    with open_source(clip) as container:
        video = container.streams.video[0]
        first = float((video.start_time or 0) * (video.time_base or 0))
        return first, float(1 / video.average_rate) if video.average_rate else 0.0


def _check_clip(source: Path) -> None:
    from streamdeblur.video.source import open_source

    with open_source(source, max_pixels=MAX_CLIP_PIXELS) as container:
        if container.format.name not in CLIP_FORMATS:
            raise InputError("The file is not an MP4, MOV or WebM clip.")
        if not container.streams.video:
            raise InputError("The clip has no video stream.")
        video = container.streams.video[0]
        if video.width * video.height > MAX_CLIP_PIXELS:
            raise InputError(f"The frames of the clip are larger than 4K ({video.width} x {video.height}).")


def _message(summary: JobSummary) -> str:
    """What was restored, and what could not be kept."""
    faces, restored = summary.faces, summary.restored
    if not faces:
        message = "No face was found."
    elif summary.skipped_sharp == faces:
        message = "The faces would gain too little: they are left as they are."
    else:
        message = f"{', '.join([f'{restored} of {faces} faces restored', *summary.left_in_words])}."
    return " ".join([message, *(f"{warning[:1].upper()}{warning[1:]}." for warning in summary.warnings[:MAX_WARNINGS])])
