"""The part of a video that settings ask for, as the times that a `Reader` takes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from streamdeblur.errors import InputError
from streamdeblur.options import RangeOptions
from streamdeblur.video.cuts import frame_times
from streamdeblur.video.source import can_be_read_once, shown_input


class Part(NamedTuple):
    """A part of a video, in seconds from its first frame."""

    start: float | Fraction
    duration: float | Fraction | None
    """None for all that is left."""


def part_of(source: str | Path, options: RangeOptions, *, allow_network: bool = False) -> Part:
    """Return the part of a video that is to be read.

    Args:
        source: The video. Where frames are given by their numbers, it is read for their times.
        options: Which part.
        allow_network: Also open URLs, and playlists that name other files or hosts.

    Raises:
        InputError: The source cannot be read, has fewer frames, or can be read once only and frames are given by their numbers.
    """
    if options.frames is not None:
        return _of_frames(source, *options.frames, allow_network=allow_network)
    return Part(options.start, options.duration if options.end is None else options.end - options.start)


def _of_frames(source: str | Path, first: int, last: int | None, *, allow_network: bool) -> Part:
    if can_be_read_once(source):
        raise InputError(f"Frames of {shown_input(source)} cannot be counted before they are read. Give times: -ss and -to.")
    times = frame_times(source, allow_network=allow_network)
    if times is None:
        wanted = None if last is None else last + 2
        with closing(_decoded_times(source, allow_network=allow_network)) as decoded:
            times = list(islice(decoded, wanted))
    if first >= len(times):
        raise InputError(f"--frames {first}-{last or ''} lies beyond the end of {source} ({len(times)} frames).")
    end = times[last + 1] if last is not None and last + 1 < len(times) else None
    return Part(times[first], None if end is None else end - times[first])


def _decoded_times(source: str | Path, *, allow_network: bool) -> Generator[Fraction, None, None]:
    """The times of the frames of a file whose packets do not tell them, in seconds from its first frame."""
    import av

    from streamdeblur.video.reader import Reader

    reader = Reader(source, allow_network=allow_network)
    try:
        for item in reader:
            if isinstance(item, av.VideoFrame) and item.time_base:
                yield (item.pts or 0) * item.time_base - reader.begin
    finally:
        reader.close()
