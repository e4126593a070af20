"""Videos of one scene, read side by side: the frames that all of them have at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.training.datasets.tracks import upright
from streamdeblur.video.planes import Planes
from streamdeblur.video.reader import Reader

DEFAULT_RATE = 25
"""Frames per second of a video whose file does not state its rate."""


@dataclass(frozen=True, eq=False)
class SynchronisedFrames:
    """A frame of the sharp video, and the frames of the others at the same time."""

    number: int
    """Number of the frame in the sharp video, from 0."""
    total: int | None
    """Frames of the sharp video; None if its file does not state it."""
    seconds: float
    """Seconds since the first frame."""
    sharp: Planes
    """Views of the frame, valid until the next one is read, as those of the others."""
    others: tuple[Planes, ...]
    """Frames of the other videos, in the order of the videos; all have the sharp one's size."""


def synchronised_frames(sharp: Path, others: Sequence[Path]) -> Iterator[SynchronisedFrames]:
    """Iterate over the frames that all videos have, upright.

    Frames match if their times, each since the first frame of its own video, differ by at most half a frame interval of the sharp
    one. A frame that one of the videos lacks is left out.

    Raises:
        InputError: A video cannot be read, has another size than the sharp one, or is interlaced or HDR.
    """
    with ExitStack() as opened:
        first, *rest = [_open(path, opened) for path in (sharp, *others)]
        number = 0
        while not first.ended and not any(video.ended for video in rest):
            matches = [video.advance_to(first.seconds, first.interval / 2) for video in rest]
            if all(matches):
                _check_sizes(first, rest)
                yield SynchronisedFrames(number, first.total, first.seconds, first.planes, tuple(video.planes for video in rest))
                for video in rest:
                    video.advance()
            first.advance()
            number += 1


def _open(path: Path, opened: ExitStack) -> _VideoCursor:
    reader = Reader(path)
    opened.callback(reader.close)
    return _VideoCursor(path, reader)


def _check_sizes(sharp: _VideoCursor, others: Sequence[_VideoCursor]) -> None:
    for video in others:
        if video.size != sharp.size:
            raise InputError(
                f"{video.path} is {video.size}, and {sharp.path} is {sharp.size}: pixels can only be compared at one size. "
                "Scale one of them first."
            )


class _VideoCursor:
    """The current frame of one video, and its time in seconds since the first."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self.total = reader.total_frames
        self.interval = 1 / float(reader.stream.average_rate or DEFAULT_RATE)
        """Seconds from one frame to the next, on average."""
        self._frames = self._read(reader)
        self.advance()

    def _read(self, reader: Reader) -> Iterator[tuple[Planes, float]]:
        import av

        begin = float(reader.first_frame.time or 0.0)
        for item in reader:
            if isinstance(item, av.VideoFrame):
                yield upright(item, self.path), float(item.time or 0.0) - begin

    def advance(self) -> None:
        """Read the next frame."""
        found = next(self._frames, None)
        self.ended = found is None
        if found is not None:
            self.planes, self.seconds = found

    def advance_to(self, seconds: float, tolerance: float) -> bool:
        """Read on to the frame at this time; False if none lies within the tolerance."""
        while not self.ended and self.seconds <= seconds - tolerance:
            self.advance()
        return not self.ended and self.seconds <= seconds + tolerance

    @property
    def size(self) -> str:
        return f"{self.planes.width} x {self.planes.height}"
