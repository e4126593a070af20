"""preview_video: one frame of a video before and after, with its faces enlarged, as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import BeyondEndError, InputError
from streamdeblur.files import check_target
from streamdeblur.frames import StreamItem
from streamdeblur.jobs.sheet import comparison_sheet
from streamdeblur.jobs.summary import JobSummary
from streamdeblur.partial_file import write_file
from streamdeblur.pictures.picture import Metadata, Picture
from streamdeblur.pictures.writer import encode_picture, kind_of_target
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.planes import upright_planes
from streamdeblur.video.reader import Reader
from streamdeblur.video.source import can_be_read_once, check_source, shown_input

LEAD_SECONDS = 0.5
"""Time before the frame in which its faces are followed, and from which they take neighbours."""
TOLERANCE = 1e-4
"""Seconds: time stamps are rounded."""


@dataclass(frozen=True, kw_only=True)
class PreviewSummary(JobSummary):
    """What was done to a frame of a video."""

    time: float
    """Of the frame, in seconds from the first one."""


def preview_video(
    source: str | Path,
    target: str | Path,
    deblurrer: FaceDeblurrer,
    at: float | None = None,
    *,
    overwrite: bool = False,
    allow_network: bool = False,
) -> PreviewSummary:
    """Write a picture of a frame before and after, and of each of its faces, with what was done with it, and why.

    The frame is restored as in the whole video, but for the numbers of its tracks: faces are followed from half a second before.

    Args:
        source: A file that FFmpeg decodes, or a URL where `allow_network` is set.
        target: The picture; its suffix decides the format, as that of `deblur_image` does.
        deblurrer: An open deblurrer; it is reset.
        at: Time of the frame in seconds from the first one; by default the middle of the video.
        overwrite: Replace the target if it exists.
        allow_network: Read URLs, and playlists that reach other files or hosts.

    Raises:
        InputError: The source cannot be read, ends before that time, or can be read once only and no time is given.
        OutputError: The target cannot be written, or exists and `overwrite` is not set.
    """
    target = Path(target)
    kind = kind_of_target(target)
    check_source(source, allow_network=allow_network)
    check_target(source, target, overwrite=overwrite)
    if at is None and can_be_read_once(source):
        raise InputError(f"The middle of {shown_input(source)} is not known before it is read. Give a time: --at TIME.")
    at = _middle(source, allow_network=allow_network) if at is None else at
    try:
        reader = Reader(source, start=max(0.0, at - LEAD_SECONDS), allow_network=allow_network)
    except BeyondEndError:
        raise _beyond(source, at) from None
    try:
        deblurrer.reset()
        item = next((item for item in deblurrer.stream(_items(reader, at)) if item.restored), None)
        if item is None or item.payload is None or not isinstance(item.frame, av.VideoFrame):
            raise _beyond(source, at)
        before, after = upright_planes(item.payload), upright_planes(item.frame)
        sheet = comparison_sheet(before, after, deblurrer.decisions, deblurrer.threshold)
        time = reader.seconds_of(item.frame)
    finally:
        reader.close()
    write_file(target, encode_picture(Picture(sheet, Metadata(kind)), kind, []))
    return PreviewSummary.of(source, target, deblurrer, reader.warnings, time=round(time, 6))


def _middle(source: str | Path, *, allow_network: bool) -> float:
    """The time in the middle of a video by what that declares."""
    reader = Reader(source, allow_network=allow_network)
    seconds, frames = reader.total_seconds, reader.total_frames
    reader.close()
    # a single frame stands at the beginning of its time
    return 0.0 if frames == 1 else (seconds or 0.0) / 2


def _beyond(source: str | Path, at: float) -> InputError:
    return InputError(f"{source} has no frame at {at:g} s. Choose an earlier time: --at TIME.")


def _items(reader: Reader, at: float) -> Iterator[StreamItem[av.VideoFrame | None]]:
    """The frames, of which the first one from a time on is restored."""
    found = False
    for frame in reader:
        if isinstance(frame, av.VideoFrame):
            wanted = not found and reader.seconds_of(frame) >= at - TOLERANCE
            found |= wanted
            yield StreamItem(frame, payload=copy_frame(frame) if wanted else None, restored=wanted)
