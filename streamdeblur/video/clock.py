"""Where the clock of a file begins, and what is subtracted from it in containers that cannot hold that."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.video.covers import is_cover

if TYPE_CHECKING:
    import av

    from streamdeblur.video.reader import Reader

NEAR_SECONDS = 1
"""A clock that begins this close to 0 is kept where a container can hold it."""
AUDIBLE_SECONDS = 0.1
"""Sound that is early or late by less is not noticed beside a picture."""
BEGIN_AT_ZERO = ("avi",)
"""FFmpeg's names of the containers that cannot say when they begin."""
BEGIN_NEAR_ZERO = ("mp4", "mov")
"""Those that can say it only by a pause, which players show as such and count as a part of the video."""
SOUGHT = {"hls", "ogg"}
"""Those cut from streams that can be sought all the same, by a list of segments or by the stamps of their pages."""


def is_cut_from_stream(container: av.container.InputContainer) -> bool:
    """Return whether files of this kind are cut from streams, whose clock begins anywhere and jumps, and which have no index."""
    return _has_flag(container, "ts_discont")


def can_be_sought(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Return whether a time can be gone to; around it, a file that is cut from a stream is to be decoded from well before it."""
    return tells_times(container, stream) or not SOUGHT.isdisjoint(container.format.name.split(","))


def tells_times(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Return whether the time of a frame tells where it is in a file, and the length of the file when it ends.

    A clock that jumps has a time more than once, and raw streams, such as H.264 without a container, have no times.
    """
    raw = _has_flag(container, "no_timestamps")
    return not raw and stream.start_time is not None and not is_cut_from_stream(container)


def _has_flag(container: av.container.InputContainer, name: str) -> bool:
    from av.format import Flags

    # PyAV's type stubs declare a plain Enum here
    return bool(container.format.flags & Flags[name].value)  # type: ignore[operator]


def clock_begin(container: av.container.InputContainer) -> Fraction:
    """Return the time of the first frame or sample of all streams, in seconds; 0 where no stream tells it."""
    timed = [stream for stream in container.streams if stream.type in ("audio", "video") and not is_cover(stream)]
    times = [stream.start_time * stream.time_base for stream in timed if stream.start_time is not None and stream.time_base]
    return min(times, default=Fraction(0))


def time_offset(container: av.container.OutputContainer, reader: Reader) -> Fraction:
    """Return the seconds to subtract from all times of a source in a file to be written, so that its streams stay in step.

    Args:
        container: The file.
        reader: The source: a part of it begins at 0; the whole has its own times, unless the file cannot hold them.
    """
    if reader.start_offset:
        return reader.start_offset
    kind, begin = container.format.name, max(Fraction(0), clock_begin(reader.container))
    far = is_cut_from_stream(reader.container) or begin >= NEAR_SECONDS
    return begin if kind in BEGIN_AT_ZERO or (kind in BEGIN_NEAR_ZERO and far) else Fraction(0)


def lost_seconds(container: av.container.OutputContainer, source: av.stream.Stream, offset: Fraction) -> float:
    """Return how much too early the sound of a source begins in a file that cannot say when it does; 0 where nobody hears it.

    Args:
        container: The file.
        source: The audio stream.
        offset: Seconds that are subtracted from all times.
    """
    if container.format.name not in BEGIN_AT_ZERO or source.type != "audio" or source.start_time is None or not source.time_base:
        return 0.0
    late = float(source.start_time * source.time_base - offset)
    return late if late > AUDIBLE_SECONDS else 0.0
