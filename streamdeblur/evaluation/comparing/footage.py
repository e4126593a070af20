"""Videos of one scene, read in step: what all of them show at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.training.datasets.tracks import upright
from streamdeblur.video.planes import Planes
from streamdeblur.video.reader import Reader

USUAL_RATE = 25
"""Frames per second of a video that does not tell its own."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame of the sharp video, and those that all others show at the same time."""

    number: int
    """Of the frame in the sharp video, from 0."""
    total: int | None
    """Frames of the sharp video, as far as its file says."""
    seconds: float
    """Since the first frame."""
    sharp: Planes
    """Views of the frame that last until the next moment, as all planes here."""
    others: tuple[Planes, ...]
    """In the order of the videos; all of the sharp one's size."""


def in_step(sharp: Path, others: Sequence[Path]) -> Iterator[Moment]:
    """The frames that all of these videos have, upright, one after the other.

    Frames belong together whose times, each since the first frame of its own video, differ by at most half a frame of the sharp
    one. A frame that one of the videos lacks is left out.

    Raises:
        InputError: a video cannot be read, is not of the sharp one's size, or its frames are no single pictures (interlaced) or
            HDR.
    """
    with ExitStack() as opened:
        first, *rest = [_open(path, opened) for path in (sharp, *others)]
        number = 0
        while not first.ended and not any(reel.ended for reel in rest):
            there = [reel.reach(first.seconds, first.interval / 2) for reel in rest]
            if all(there):
                _check_sizes(first, rest)
                yield Moment(number, first.total, first.seconds, first.planes, tuple(reel.planes for reel in rest))
                for reel in rest:
                    reel.step()
            first.step()
            number += 1


def _open(path: Path, opened: ExitStack) -> _Reel:
    reader = Reader(path)
    opened.callback(reader.close)
    return _Reel(path, reader)


def _check_sizes(sharp: _Reel, others: Sequence[_Reel]) -> None:
    for reel in others:
        if reel.size != sharp.size:
            raise InputError(
                f"{reel.path} is {reel.size}, and {sharp.path} is {sharp.size}: pixels can only be compared at one size. "
                "Scale one of them first."
            )


class _Reel:
    """One video, frame by frame, each with its time in seconds since the first."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self.total = reader.total_frames
        self.interval = 1 / float(reader.stream.average_rate or USUAL_RATE)
        """Seconds from one frame to the next, on average."""
        self._frames = self._read(reader)
        self.step()

    def _read(self, reader: Reader) -> Iterator[tuple[Planes, float]]:
        import av

        begin = float(reader.first_frame.time or 0.0)
        for item in reader:
            if isinstance(item, av.VideoFrame):
                yield upright(item, self.path), float(item.time or 0.0) - begin

    def step(self) -> None:
        """Go on to the next frame."""
        found = next(self._frames, None)
        self.ended = found is None
        if found is not None:
            self.planes, self.seconds = found

    def reach(self, seconds: float, tolerance: float) -> bool:
        """Go on to the frame of this time; False where there is none that is no more than the tolerance away."""
        while not self.ended and self.seconds <= seconds - tolerance:
            self.step()
        return not self.ended and self.seconds <= seconds + tolerance

    @property
    def size(self) -> str:
        return f"{self.planes.width} x {self.planes.height}"
