"""Tags and chapters of a file, in the form that other programs read."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.video.clock import time_offset
from streamdeblur.video.covers import is_cover
from streamdeblur.video.log import words
from streamdeblur.video.trial import add_video, placeholder

if TYPE_CHECKING:
    import av

    from streamdeblur.video.reader import Reader

MUXER_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder"}
"""Tags that the muxer writes itself."""
UNTRIED_TAGS = {"creation_time", "timecode", "duration", "software"}
"""Tags that are no text of the user: containers that have no place for them drop them without a word."""

FREE_KEYS = "use_metadata_tags"
"""Flag of FFmpeg's MP4 muxer for tags of any name ('mdta' keys), in place of the usual ones and of cover pictures."""

APPLE_NAMES = {
    name: f"com.apple.quicktime.{apple}"
    for name, apple in {
        "title": "title", "artist": "artist", "album": "album", "author": "author", "comment": "comment", "genre": "genre",
        "copyright": "copyright", "description": "description", "keywords": "keywords", "date": "creationdate",
        "location": "location.ISO6709", "make": "make", "model": "model",
    }.items()
}  # fmt: skip
"""Names of common tags among free keys, by FFmpeg's (Apple, QuickTime File Format, "QuickTime metadata keys")."""

NAMED_TAGS = 8
"""Most tags that a warning names."""

LARGEST_TIME_SCALE = 2**31 - 1
"""Ticks per second that an MP4 file can express."""


def time_scales(reader: Reader) -> dict[str, str]:
    """Return options of FFmpeg's MP4 muxer that make time stamps exact.

    Edit lists count in the movie's time scale, which is set if a stream does not start at 0.
    """
    scales = [s.time_base.denominator for s in reader.container.streams if s.time_base and s.type in ("video", "audio")]
    video = reader.stream.time_base.denominator if reader.stream.time_base else 90000
    options = {"video_track_timescale": str(video)}
    if any(s.start_time for s in reader.container.streams):
        movie = math.lcm(video, *scales)
        options["movie_timescale"] = str(movie if movie <= LARGEST_TIME_SCALE else video)
    return options


def describe_file(container: av.container.OutputContainer, reader: Reader, warnings: list[str]) -> None:
    """Give a file that has no streams yet the tags and chapters of the source.

    Args:
        container: The file.
        reader: The source.
        warnings: Gets a line for tags that the file cannot hold.
    """
    source = reader.container
    tags = {k: v for k, v in source.metadata.items() if k.lower() not in MUXER_TAGS}
    try:
        tags, lost = _fitting_tags(container, tags, has_cover=any(is_cover(stream) for stream in source.streams))
    except ValueError as error:
        lost, tags = tags, {}
        warnings.append(f"the tags of the file cannot be written ({words(error)})")
    container.metadata.update(tags)
    if lost:
        named = ", ".join(list(lost)[:NAMED_TAGS]) + (f" and {len(lost) - NAMED_TAGS} more" if len(lost) > NAMED_TAGS else "")
        warnings.append(f"tags were left out, {container.format.name} files have no place for them: {named}")
    chapters = source.chapters()
    if chapters:
        container.set_chapters(_within(chapters, time_offset(container, reader), reader.end))


def _fitting_tags(
    container: av.container.OutputContainer, tags: dict[str, str], *, has_cover: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the tags to write and those that are lost, and choose their form in files of the MP4 family.

    Raises:
        ValueError: The muxer does not take them.
    """
    if not tags:
        return {}, {}
    kind = container.format.name
    lost = _lost(container, tags)
    if kind == "mov" and lost:
        _use_free_keys(container)
        return tags | {APPLE_NAMES[k.lower()]: v for k, v in tags.items() if k.lower() in APPLE_NAMES}, {}
    if kind == "mp4" and lost:
        if not has_cover and len(lost) == len([tag for tag in tags if tag.lower() not in UNTRIED_TAGS]):
            _use_free_keys(container)
            return tags, {}
        common = {apple: name for name, apple in APPLE_NAMES.items()}
        tags = {common[k]: v for k, v in tags.items() if k in common} | tags
        lost = _lost(container, tags)
        lost = {k: v for k, v in lost.items() if common.get(k, k) in lost}
    return {k: v for k, v in tags.items() if k not in lost}, lost


def _use_free_keys(container: av.container.OutputContainer) -> None:
    flags = container.options.get("movflags")
    container.options["movflags"] = f"{flags}+{FREE_KEYS}" if flags else FREE_KEYS


def _lost(container: av.container.OutputContainer, tags: dict[str, str]) -> dict[str, str]:
    """Return the tags that a file like `container` does not hold: one in memory is written and read back."""
    import av

    file = io.BytesIO()
    kind = container.format.name
    with av.open(file, "w", format=kind, options=dict(container.options)) as trial:
        trial.metadata.update(tags)
        for packet in placeholder(add_video(trial, "vp8" if kind == "webm" else "mpeg4")):
            trial.mux_one(packet)
    file.seek(0)
    with av.open(file, metadata_errors="replace") as written:
        kept = {name.lower() for name in written.metadata}
    # a transport stream has the title as the name of its service
    kept |= UNTRIED_TAGS | ({"title"} if kind == "mpegts" else set())
    return {k: v for k, v in tags.items() if k.lower() not in kept}


def _within(
    chapters: list[av.container.core.Chapter], offset: Fraction, end: Fraction | float
) -> list[av.container.core.Chapter]:
    """The chapters of a part, from a time on until before another one, both in seconds of the source; the part begins at 0."""
    within = []
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1)
        first, last = round(offset / base), end if end == float("inf") else round(end / base)
        if chapter["start"] < last and chapter["end"] > first:
            start, stop = max(chapter["start"], first), min(chapter["end"], last)
            within.append({**chapter, "start": start - first, "end": int(stop) - first})
    return within  # type: ignore[return-value]  # dictionaries with the keys of a chapter
