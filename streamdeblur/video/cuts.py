"""Where a long video can be cut into segments that are worked on apart: at key frames of closed groups of pictures."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.errors import InputError
from streamdeblur.video.length import VideoLength
from streamdeblur.video.source import main_video_stream, open_source

if TYPE_CHECKING:
    import av

WARM_UP = 48
"""Frames before a segment over which its faces are followed: the tracker has averaged its detections, and whether a face is
restored is settled."""
FOLLOWING = 5
"""Frames after a segment that its last ones may take neighbours from: the largest look-ahead."""
LEAST_SHARE = 0.5
"""Length of the last segment at least, in segments; what is shorter belongs to the one before."""
SOUGHT = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Kinds of files in which a time is found without reading what is before it, and whose stamps are those of the frames."""
HIDDEN_FRAMES = {"vp8"}
"""Codecs whose packets may hold frames that are not shown, so that they do not tell the number of frames."""


@dataclass(frozen=True)
class Segment:
    """A part of a video, by the time stamps of its frames, in ticks of the video stream."""

    number: int
    frames: int
    """How many it has."""
    prepare: int
    """First frame to decode: faces are followed from here on."""
    begin: int
    """First frame to restore."""
    end: int | None
    """First frame of the next segment; None for the last segment."""
    until: int | None
    """First frame that is not even read; None where everything is."""


@dataclass(frozen=True)
class Cuts:
    """The segments of a video."""

    segments: tuple[Segment, ...] = ()
    """Empty for a video in one piece."""
    reason: str = ""
    """Why a long video cannot be cut; empty for a short one."""
    frames: int | None = None
    """How many frames the video has, as far as the file tells."""

    @property
    def begins(self) -> list[tuple[int, int]]:
        """The stamps `prepare` and `begin` of all segments but the first."""
        return [(segment.prepare, segment.begin) for segment in self.segments[1:]]


def find_cuts(source: str | Path, seconds: float) -> Cuts:
    """Find where a video can be cut; the same file is always cut in the same places.

    Args:
        source: A local file.
        seconds: Length of a segment; 0 for one piece. A video of less than one and a half is not cut, and hardly read.

    Returns:
        Its segments; none for a file that cannot be opened, which who restores it will say.
    """
    try:
        container = open_source(source)
    except InputError:
        return Cuts()
    with container:
        return _cuts(container, seconds)


def _cuts(container: av.container.InputContainer, seconds: float) -> Cuts:
    from av.stream import Discard

    stream = main_video_stream(container)
    base = stream.time_base if stream is not None else None
    if stream is None or stream.codec_context is None or not base:
        return Cuts()
    declared = VideoLength(container, stream)
    frames = declared.frames(declared.begin, float("inf"))
    if not seconds or (declared.seconds or 0) < (1 + LEAST_SHARE) * seconds:
        return Cuts(frames=frames)
    if reason := _refused(container, stream):
        return Cuts(reason=reason, frames=frames)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    stamps, keys = _stamps(container, stream)
    if isinstance(stamps, str):
        return Cuts(reason=stamps, frames=frames)
    if not keys:
        return Cuts(reason="it has no key frames but the first, or only those of open groups of pictures", frames=frames)
    return Cuts(_segments(sorted(stamps), keys, round(seconds / base)), frames=len(stamps))


def _refused(container: av.container.InputContainer, stream: av.VideoStream) -> str:
    """Why a kind of file cannot be cut."""
    from streamdeblur.video.description import codec_tag

    kind, codec = container.format.name, stream.codec_context.codec.canonical_name
    if kind not in SOUGHT or (kind == "matroska,webm" and codec_tag(stream.codec_context)):
        return f"files of this kind ({kind}) do not tell where their key frames are"
    return f"packets of {codec} do not tell how many frames they hold" if codec in HIDDEN_FRAMES else ""


def _stamps(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[list[int] | str, list[int]]:
    """The stamps of the frames in the order of the file, or what is wrong with them; and those at which it can be cut."""
    import av

    stamps: list[int] = []
    keys: list[int] = []
    last = None
    try:
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None or (last is not None and packet.dts is not None and packet.dts <= last):
                return "its time stamps are missing or do not rise", []
            last = last if packet.dts is None else packet.dts
            if packet.is_keyframe:
                keys.append(len(stamps))
            stamps.append(packet.pts)
    except (av.FFmpegError, OSError):
        return "it is damaged", []
    if len(set(stamps)) < len(stamps):
        return "its time stamps repeat", []
    latest = list(accumulate(stamps, max))
    earliest = list(accumulate(reversed(stamps), min))[::-1]
    return stamps, [stamps[n] for n in keys if n and latest[n - 1] < stamps[n] == earliest[n]]


def _segments(stamps: Sequence[int], keys: Sequence[int], length: int) -> tuple[Segment, ...]:
    """Segments of at least a length in ticks, of frames with these stamps, in order."""
    begins, end = [stamps[0]], stamps[-1] + (stamps[-1] - stamps[0]) // max(1, len(stamps) - 1)
    for key in keys:
        if key - begins[-1] >= length and end - key >= LEAST_SHARE * length:
            begins.append(key)
    if len(begins) == 1:
        return ()
    places = [*(bisect_left(stamps, begin) for begin in begins), len(stamps)]
    segments = []
    for number, (first, after) in enumerate(pairwise(places)):
        end_at, until = (stamps[n] if n < len(stamps) else None for n in (after, after + FOLLOWING))
        segments.append(Segment(number, after - first, stamps[max(0, first - WARM_UP)], stamps[first], end_at, until))
    return tuple(segments)
