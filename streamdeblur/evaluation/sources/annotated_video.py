"""Videos with an annotated face box in each frame: clips of the face, cropped when they are opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.sources.dataset import ClipFrames, EvaluationClip
from streamdeblur.evaluation.sources.pictures import points_in
from streamdeblur.faces.window import crop_region
from streamdeblur.training.datasets.clip_windows import ClipWindow, clip_windows
from streamdeblur.video.planes import Planes

SHORTEST = 7
"""Frames of a clip at least: the shortest average of the paper."""

Opener = Callable[[int, int], Iterator[Planes]]
"""Reads the frames of a video from a first number to before a last one; raises InputError."""


@dataclass(frozen=True, eq=False)
class AnnotatedVideo:
    """A video in which one face is annotated."""

    name: str
    """The group of its clips, whose own names are this and the number of their first frame."""
    identity: str
    width: int
    height: int
    boxes: dict[int, NDArray[np.float64]]
    """Face box x0, y0, x1, y1 in pixels, by frame."""
    points: dict[int, NDArray[np.float64]]
    """Annotated landmarks [68, 2] in pixels, by frame; empty if there are none."""
    read: Opener

    def clips(self) -> Iterator[EvaluationClip]:
        """Yield its clips: consecutive frames, as long as a window that does not move covers the face."""
        for begin, end in consecutive_ranges(sorted(self.boxes)):
            boxes = [self.boxes[n] for n in range(begin, end)]
            for window in clip_windows(boxes, begin, (0, 0, self.width, self.height)):
                if window.end - window.begin >= SHORTEST:
                    name = f"{self.name}/{window.begin:06d}"
                    yield EvaluationClip(name, partial(self._crop, window), self.identity, self.name)

    def _crop(self, window: ClipWindow) -> ClipFrames:
        numbers = range(window.begin, window.end)
        frames = np.empty((len(numbers), window.size, window.size, 3), np.uint8)
        count = 0
        for count, planes in enumerate(self.read(window.begin, window.end), 1):
            crop_region(planes, window.left, window.top, window.side, window.side, frames[count - 1])
        if count < len(numbers):
            raise InputError(f"{self.name} ends after frame {window.begin + count - 1}, but frame {window.end - 1} is annotated.")
        boxes = window.inside(np.array([self.boxes[n] for n in numbers]).reshape(-1, 2, 2)).reshape(-1, 4)
        points = np.array([self.points[n] for n in numbers if self.points])
        landmarks = points_in(points, window.left, window.top, window.scale).astype(np.float32) if len(points) else None
        return ClipFrames(frames, boxes.astype(np.float32), landmarks)


def consecutive_ranges(numbers: Sequence[int], longest: int | None = None) -> list[tuple[int, int]]:
    """Split rising numbers into ranges (first, last + 1) without gaps, of at most `longest` numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number and (longest is None or number - found[-1][0] < longest):
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
