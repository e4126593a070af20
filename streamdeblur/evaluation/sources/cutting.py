"""Clips of faces whose place in each frame is known: cut out when they are opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.sources.dataset import Clip, Frames
from streamdeblur.evaluation.sources.pictures import points_in
from streamdeblur.faces.window import crop_region
from streamdeblur.training.datasets.windows import ClipWindow, clip_windows
from streamdeblur.video.planes import Planes

SHORTEST = 7
"""Frames of a clip at least: the shortest average of the paper."""

Opener = Callable[[int, int], Iterator[Planes]]
"""Reads the frames of a video from one number to before another; raises InputError."""


@dataclass(frozen=True, eq=False)
class Video:
    """A video in which a face is marked."""

    name: str
    """Of its clips' group; their own names are this and the number of their first frame."""
    identity: str
    width: int
    height: int
    boxes: dict[int, NDArray[np.float64]]
    """Face box by frame, x0, y0, x1, y1 in pixels."""
    points: dict[int, NDArray[np.float64]]
    """Marked points [68, 2] by frame, in pixels; empty where there are none."""
    read: Opener

    def clips(self) -> Iterator[Clip]:
        """Its clips: runs of frames one after the other, as far as a window that stands still covers the face."""
        for begin, end in runs(sorted(self.boxes)):
            boxes = [self.boxes[n] for n in range(begin, end)]
            for window in clip_windows(boxes, begin, (0, 0, self.width, self.height)):
                if window.end - window.begin >= SHORTEST:
                    name = f"{self.name}/{window.begin:06d}"
                    yield Clip(name, partial(self._cut, window), self.identity, self.name)

    def _cut(self, window: ClipWindow) -> Frames:
        numbers = range(window.begin, window.end)
        frames = np.empty((len(numbers), window.size, window.size, 3), np.uint8)
        count = 0
        for count, planes in enumerate(self.read(window.begin, window.end), 1):
            crop_region(planes, window.left, window.top, window.side, window.side, frames[count - 1])
        if count < len(numbers):
            raise InputError(f"{self.name} ends after frame {window.begin + count - 1}, {window.end - 1} is marked.")
        boxes = window.inside(np.array([self.boxes[n] for n in numbers]).reshape(-1, 2, 2)).reshape(-1, 4)
        points = np.array([self.points[n] for n in numbers if self.points])
        marked = points_in(points, window.left, window.top, window.scale).astype(np.float32) if len(points) else None
        return Frames(frames, boxes.astype(np.float32), marked)


def runs(numbers: Sequence[int], longest: int | None = None) -> list[tuple[int, int]]:
    """Rising numbers as ranges (first, last + 1) without gaps, of `longest` numbers at most."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number and (longest is None or number - found[-1][0] < longest):
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
