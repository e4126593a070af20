"""What the stop rules need of each frame: a small luma, the motion since the frame before, the parts of the faces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.motion import mean_length

LUMA_SIDE = 128
"""Longer side of the luma that frames are compared in."""
FLOW_SIDE = 32
"""Longer side of the grid on which motion is kept."""

REPEATED = 0.12
"""Mean change of the luma, in code values, below which a frame repeats the one before. Frames that a conversion of the frame rate
repeated differ by 0.01 to 0.1 after compression, those of a person sitting still by 0.2 and more."""
CUT_CHANGE, CUT_LEVELS = 25.0, 0.35
"""A cut changes the luma by this many code values on average, and moves this fraction of it to other levels."""

PARTS_OF_68 = ((36, 42), (42, 48), (27, 36), (48, 68))
"""Eyes, nose and mouth among 68 landmarks."""
PART_SIDE = 0.3
"""Side of the square around a single landmark, relative to the span of all landmarks."""
BOX_PARTS = np.array(
    [(0.12, 0.3, 0.44, 0.5), (0.56, 0.3, 0.88, 0.5), (0.35, 0.4, 0.65, 0.72), (0.28, 0.68, 0.72, 0.9)], np.float32
)
"""Where eyes, nose and mouth lie in a face box: x0, y0, x1, y1 in its units."""


def face_parts(box: NDArray[np.floating], landmarks: NDArray[np.floating] | None = None) -> NDArray[np.float32]:
    """Return boxes of the parts of a face: eyes, nose and mouth.

    Args:
        box: Face box x0, y0, x1, y1 in pixels.
        landmarks: [K, 2] in pixels. With 68 points each part is the box around its points, with others a square around each
            point; without landmarks, parts lie where they usually are in the face box.

    Returns:
        x0, y0, x1, y1 in pixels: float32 [parts, 4].
    """
    if landmarks is None:
        x0, y0, x1, y1 = (float(v) for v in box)
        size, origin = np.array([x1 - x0, y1 - y0] * 2, np.float32), np.array([x0, y0] * 2, np.float32)
        return BOX_PARTS * size + origin
    points = np.asarray(landmarks, np.float32)
    if len(points) == 68:
        groups = [points[begin:end] for begin, end in PARTS_OF_68]
        return np.array([[*group.min(axis=0), *group.max(axis=0)] for group in groups], np.float32)
    reach = PART_SIDE / 2 * np.ptp(points, axis=0).max()
    return np.concatenate([points - reach, points + reach], axis=1)


@dataclass(frozen=True, eq=False)
class Observation:
    """One frame as the stop rules need it."""

    number: int
    """Number of the frame in its clip or video, from 0."""
    luma: NDArray[np.uint8]
    """uint8 [h, w, 1], its longer side at most 128."""
    motion: NDArray[np.float32]
    """Motion since the frame before, in pixels of the frame: float32 [h, w, 2] on a coarse grid; zero for the first one and a
    cut."""
    faces: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    """Parts of each face, float32 [parts, 4] in pixels, by its track id."""
    region: tuple[slice, slice] = (slice(None), slice(None))
    """Lines and columns of the motion grid that the faces cover; all without a face."""
    cut: bool = False
    """This frame begins a new shot."""
    repeated: bool = False
    """This frame repeats the one before."""

    pixel: float = 1.0
    """Pixels of the frame per pixel of the luma."""

    @property
    def path(self) -> float:
        """Length in pixels of the motion since the frame before: mean over the faces, or over the frame where there are none."""
        return mean_length(self.motion[self.region])

    def thinned(self) -> Observation:
        """Return a copy without luma and with motion as one vector: all that PrAvg needs, small enough to keep for many clips."""
        motion = np.array([[[self.path, 0.0]]], np.float32)
        return replace(self, luma=self.luma[:1, :1].copy(), motion=motion, faces={}, region=(slice(None), slice(None)))


class Observer:
    """Observes the frames of one video in order. Not safe for several threads."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._previous: NDArray[np.uint8] | None = None
        self._size = 0, 0
        self._count = 0

    def __call__(
        self,
        frame: NDArray[np.uint8],
        boxes: Mapping[int, NDArray[np.floating]] | None = None,
        landmarks: Mapping[int, NDArray[np.floating]] | None = None,
    ) -> Observation:
        """Observe the next frame; one of another size than the one before begins a new shot.

        Args:
            frame: uint8 RGB [H, W, 3].
            boxes: Face boxes, x0, y0, x1, y1 in pixels, by the track id of each face.
            landmarks: Landmarks [K, 2] in pixels by the same ids.
        """
        height, width = frame.shape[:2]
        pixel = max(1.0, max(height, width) / LUMA_SIDE)
        luma = _small_luma(frame, pixel)
        previous, self._previous = self._previous, luma
        same_size, self._size = self._size == (height, width), (height, width)
        number, self._count = self._count, self._count + 1
        boxes, landmarks = boxes or {}, landmarks or {}
        faces = {name: face_parts(box, landmarks.get(name)) for name, box in boxes.items()}
        motion = np.zeros((*_grid(luma), 2), np.float32)
        cut = repeated = False
        if previous is not None and not same_size:
            cut = True
        elif previous is not None:
            change = float(cv2.absdiff(previous, luma).mean())
            cut, repeated = change >= CUT_CHANGE and _other_levels(previous, luma) >= CUT_LEVELS, change < REPEATED
            if not cut and not repeated:
                motion = self._motion(previous, luma, pixel)
        region = _region(list(boxes.values()), motion.shape, height, width)
        return Observation(number, luma[..., None], motion, faces, region, cut, repeated, pixel)

    def _motion(self, previous: NDArray[np.uint8], luma: NDArray[np.uint8], pixel: float) -> NDArray[np.float32]:
        """Return dense motion by DIS (Kroeger et al. 2016), averaged over the cells of the grid."""
        flow = self._flow.calc(previous, luma, np.zeros((*luma.shape, 2), np.float32))
        lines, columns = _grid(luma)
        coarse = cv2.resize(flow, (columns, lines), interpolation=cv2.INTER_AREA)
        return np.asarray(coarse, np.float32) * np.float32(pixel)


def observe(
    frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    boxes: NDArray[np.floating] | None = None,
    landmarks: NDArray[np.floating] | None = None,
) -> list[Observation]:
    """Observe all frames of a clip of one face.

    Args:
        frames: uint8 RGB [T, H, W, 3].
        boxes: Face box of each frame in pixels, [T, 4].
        landmarks: Landmarks of each frame in pixels, [T, K, 2].
    """
    observer = Observer()
    return [
        observer(
            frame,
            None if boxes is None else {0: boxes[i]},
            None if landmarks is None else {0: landmarks[i]},
        )
        for i, frame in enumerate(frames)
    ]


def _small_luma(frame: NDArray[np.uint8], pixel: float) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    size = max(16, round(width / pixel)), max(16, round(height / pixel))
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    # whole squares are averaged first, the remaining factor is less than two: averages over parts of pixels are slow
    whole = int(pixel)
    if whole > 1:
        lines, columns = height // whole, width // whole
        luma = cv2.resize(luma[: lines * whole, : columns * whole], (columns, lines), interpolation=cv2.INTER_AREA)
    return np.asarray(luma if size == (width, height) else cv2.resize(luma, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _grid(luma: NDArray[np.uint8]) -> tuple[int, int]:
    """Return lines and columns of the motion grid."""
    reduction = max(1.0, max(luma.shape) / FLOW_SIDE)
    return max(1, round(luma.shape[0] / reduction)), max(1, round(luma.shape[1] / reduction))


def _other_levels(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    counts = [np.bincount(luma.ravel() >> 3, minlength=32) for luma in (first, second)]
    return float(np.abs(counts[0] - counts[1]).sum() / 2 / first.size)


def _region(boxes: Sequence[NDArray[np.floating]], grid: tuple[int, ...], height: int, width: int) -> tuple[slice, slice]:
    if not boxes:
        return slice(None), slice(None)
    # plain numbers: NumPy's overhead for four of them would exceed the time for the luma
    sides = list(zip(*(box.tolist() for box in boxes), strict=True))

    def cells(begin: float, end: float, side: int, count: int) -> slice:
        first = min(max(int(begin / side * count), 0), count - 1)
        return slice(first, min(max(math.ceil(end / side * count), first + 1), count))

    x0, y0, x1, y1 = min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])
    return cells(y0, y1, height, grid[0]), cells(x0, x1, width, grid[1])
