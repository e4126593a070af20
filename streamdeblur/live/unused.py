"""Settings of a live stream that are given and that nothing uses."""

from __future__ import annotations

from collections.abc import Iterator

from streamdeblur.live.options import PREVIEW, LiveOptions
from streamdeblur.live.sinks import is_file
from streamdeblur.live.sources import PATTERN
from streamdeblur.options import EncodingOptions
from streamdeblur.video.source import is_url
from streamdeblur.video.stdin import STDIN

CAMERA, FILE = "a camera", "a file"
KINDS = {PATTERN: "the test pattern", STDIN: "raw frames"}
REQUESTED = (CAMERA, *KINDS.values())
"""Kinds of sources that are asked for a size, a rate and a pixel format; the others have theirs."""
SOURCES = {"realtime": (FILE,), "loop": (FILE,), "size": REQUESTED, "fps": REQUESTED, "format": REQUESTED}
"""Kinds of sources that use a setting."""
OF_RECORDINGS = ("codec", "quality", "preset", "overwrite")


def unused_settings(options: LiveOptions, *, realtime: bool) -> Iterator[str]:
    """Yield a warning for each setting that is given and has no effect.

    Args:
        options: The settings of the stream.
        realtime: Whether the frames of the source arrive at their own times.
    """
    given = [*_given(options), *_given(options.encoding)]
    kind = _kind_of_source(options.source)
    for name in given:
        if kind not in SOURCES.get(name, (kind,)):
            yield f"--{name} has no effect: the source is {kind}."
    if "budget" in given and not realtime:
        yield "--budget has no effect: the frames of a file wait for one another, unless it is played with --realtime."
    if not any(map(is_file, options.to)):
        for name in OF_RECORDINGS:
            if name in given:
                yield f"--{name} has no effect: no output is a file."
    if "overlay" in given and PREVIEW not in options.to:
        yield "--overlay has no effect: there is no preview."


def may_be_requested(source: str | None) -> bool:
    """Return whether a source can be asked for another size or rate."""
    return _kind_of_source(source) in REQUESTED


def _given(options: LiveOptions | EncodingOptions) -> list[str]:
    """The names of the settings that are given and not switched off."""
    return [name for name in type(options).model_fields if name in options.model_fields_set and getattr(options, name)]


def _kind_of_source(source: str | None) -> str:
    if source is None:
        return CAMERA
    return KINDS.get(source) or ("a network stream" if is_url(source) else FILE)
