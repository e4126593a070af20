"""Where a long video can be cut into segments that are worked on apart: at key frames of closed groups of pictures."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.errors import InputError
from streamdeblur.video.length import INDEXED, VideoLength
from streamdeblur.video.source import main_video_stream, open_source
from streamdeblur.video.timestamps import MOST_REORDERED

if TYPE_CHECKING:
    import av

WARM_UP = 48
"""Most frames before a segment over which its faces are followed: the tracker has averaged its detections, and whether a face is
restored is settled."""
FOLLOWING = 5
"""Frames after a segment that its last ones may take neighbours from: the largest look-ahead."""
LEAST_SHARE = 0.5
"""Length of the last segment at least, in segments; what is shorter belongs to the one before."""
SOUGHT = {INDEXED, "matroska,webm"}
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


def frame_times(source: str | Path, *, allow_network: bool = False) -> list[Fraction] | None:
    """Return the times of all frames of a video, in order, in seconds from the first one; None where packets do not tell them.

    Args:
        source: A file, or a URL where `allow_network` is set.
        allow_network: Also open URLs, and playlists that name other files or hosts.

    Raises:
        InputError: The source cannot be read.
    """
    with open_source(source, allow_network=allow_network) as container:
        stream = main_video_stream(container)
        if stream is None or stream.codec_context is None or not stream.time_base or _refused(container, stream):
            return None
        _read_alone(container, stream)
        stamps, _ = _stamps(container, stream)
        begin = VideoLength(container, stream).begin
        return None if isinstance(stamps, str) else [stamp * stream.time_base - begin for stamp in sorted(stamps)]


def _cuts(container: av.container.InputContainer, seconds: float) -> Cuts:
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
    _read_alone(container, stream)
    length = round(seconds / base)
    if (found := _by_index(container, stream, length)) is not None:
        return Cuts(_segments(*found, length), frames=len(found[0]))
    stamps, keys = _stamps(container, stream)
    if isinstance(stamps, str):
        return Cuts(reason=stamps, frames=frames)
    if not keys:
        return Cuts(reason="it has no key frames but the first, or only those of open groups of pictures", frames=frames)
    return Cuts(_segments(sorted(stamps), keys, length), frames=len(stamps))


def _read_alone(container: av.container.InputContainer, stream: av.VideoStream) -> None:
    """Read no packets of the other streams."""
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all


def _refused(container: av.container.InputContainer, stream: av.VideoStream) -> str:
    """Why a kind of file cannot be cut."""
    from streamdeblur.video.description import codec_tag

    kind, codec = container.format.name, stream.codec_context.codec.canonical_name
    if kind not in SOUGHT or (kind == "matroska,webm" and codec_tag(stream.codec_context)):
        return f"files of this kind ({kind}) do not tell where their key frames are"
    return f"packets of {codec} do not tell how many frames they hold" if codec in HIDDEN_FRAMES else ""


def _by_index(container: av.container.InputContainer, stream: av.VideoStream, length: int) -> tuple[list[int], list[int]] | None:
    """The stamps of the frames, in order, and those at which a file with an index of all packets can be cut, a length apart.

    An index has decoding stamps alone. They are the presentation stamps of the frames that come a delay before, as encoders make
    them; whether that is so, and nothing after a key frame is shown before it, is seen at each cut, where its packet is read.
    None where it is not, or the file has no such index.
    """
    if container.format.name != INDEXED:
        return None
    entries = list(stream.index_entries)
    stamps = [entry.timestamp for entry in entries]
    first = next((packet for packet in container.demux(stream) if packet.size), None)
    rising = all(one < other for one, other in pairwise(stamps))
    if first is None or first.pts is None or not rising or any(entry.is_discard for entry in entries):
        return None
    delay = bisect_left(stamps, first.pts)
    if delay > MOST_REORDERED or len(stamps) <= delay + 1:
        return None
    step = stamps[-1] - stamps[-2]
    shown = [*stamps[delay:], *(stamps[-1] + step * n for n in range(1, delay + 1))]
    keys: list[int] = []
    for number, entry in enumerate(entries):
        if entry.is_keyframe and number and shown[number] - (keys[-1] if keys else shown[0]) >= length:
            if not _is_key(container, stream, shown[number], entry.timestamp):
                return None
            keys.append(shown[number])
    return (shown, keys) if shown[0] == first.pts and keys else None


def _is_key(container: av.container.InputContainer, stream: av.VideoStream, shown: int, decoded: int) -> bool:
    """Whether there is a key frame with these stamps of presentation and decoding."""
    import av

    try:
        container.seek(shown, stream=stream, backward=True)
        packet = next((packet for packet in container.demux(stream) if packet.size), None)
    except (av.FFmpegError, OSError):
        return False
    return packet is not None and (packet.pts, packet.dts, packet.is_keyframe) == (shown, decoded, True)


def _stamps(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[list[int] | str, list[int]]:
    """The stamps of the frames in the order of the file, or what is wrong with them; and those at which it can be cut."""
    import av

    stamps: list[int] = []
    keys: list[int] = []
    last = None
    try:
        if container.format.name == INDEXED:
            # where the index was tried
            container.seek(stream.start_time or 0, stream=stream, backward=True)
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
    """Segments of at least a length in ticks, of frames with these stamps, in order.

    A run in one piece follows the faces of one segment before and one after the present one. So a segment is prepared after the
    one before has begun, and has more frames than those that its predecessor takes neighbours from.
    """
    places, end = [0], stamps[-1] + (stamps[-1] - stamps[0]) // max(1, len(stamps) - 1)
    for key in keys:
        place = bisect_left(stamps, key)
        is_long = key - stamps[places[-1]] >= length and place - places[-1] > FOLLOWING
        if is_long and end - key >= LEAST_SHARE * length:
            places.append(place)
    if len(places) == 1:
        return ()
    places.append(len(stamps))
    # the first segment is never begun anew
    earliest = [0, 0, *(place + 1 for place in places[1:])]
    segments = []
    for number, (least, first, after) in enumerate(zip(earliest, places, places[1:], strict=False)):
        prepare = stamps[max(least, first - WARM_UP)]
        end_at, until = (stamps[n] if n < len(stamps) else None for n in (after, after + FOLLOWING))
        segments.append(Segment(number, after - first, prepare, stamps[first], end_at, until))
    return tuple(segments)
