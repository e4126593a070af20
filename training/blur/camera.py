"""CameraPath: a virtual camera held by hand, which moves over the frames while they are exposed.

Talking faces alone move little. The path moves each frame before it is added, so that facial motion and camera shake mix in one
exposure. Where a frame's part of the path is long, it is added several times on the way: no ghost copies show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.intensity import read_intensity
from streamdeblur.kernels.sensor import brighten
from streamdeblur.kernels.warping import add_warped, count_steps, path_matrices, pixel_numbers
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.sensor import HIGHLIGHT
from streamdeblur.training.blur.synthetic import intensity_table
from streamdeblur.training.blur.trajectories import WAVE_SECONDS, handshake

LARGEST_STEP = 1.5
"""Pixels that any part of the picture moves from one addition of a frame to the next, at most."""
TURN = 0.35
"""Share of the extent, at most, by which the corners move because the camera turns."""
ZOOM = 0.15
"""Share of the extent, at most, by which the corners move because the camera comes closer or zooms."""
FINENESS = 16
"""Points of the path per frame, at least."""


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Poses of a camera over one exposure, at equal intervals. Their mean is no motion: blur does not shift the picture."""

    poses: NDArray[np.float32]
    """x and y in pixels, angle in radians, logarithm of the zoom: float32 [points, 4], smooth."""
    frames: int
    """Frames that share the exposure equally."""
    width: int
    height: int
    """Of the picture that the camera takes; its middle is the centre of turning and zooming."""

    @classmethod
    def sample(cls, random: np.random.Generator, frames: int, extent: float, width: int, height: int) -> CameraPath:
        """A random hand-shake over an exposure of `frames` frames.

        extent: as of a blur kernel (`trajectories`), of the picture's middle, in pixels; 1 is a camera that does not move. The
        corners move by up to half as much again, for the camera turns and zooms, too.
        """
        shortest, longest = np.log(WAVE_SECONDS)
        seconds = float(np.exp(random.uniform(shortest, longest)))
        turn, zoom = random.uniform(0.0, TURN), random.uniform(0.0, ZOOM)
        waves = handshake(random, 4, max(64, FINENESS * frames), seconds)
        waves -= waves.mean(axis=0)
        x, y, angle, log_zoom = np.ptp(waves, axis=0)
        corner = math.hypot(width, height) / 2
        amplitudes = (extent - 1.0) * np.array([1.0, 1.0, turn / corner, zoom / corner])
        spans = np.maximum([max(x, y), max(x, y), angle, log_zoom], 1e-12)
        return cls((waves * (amplitudes / spans)).astype(np.float32), frames, width, height)

    @classmethod
    def still(cls, frames: int, width: int, height: int) -> CameraPath:
        """A camera that does not move."""
        return cls(np.zeros((2, 4), np.float32), frames, width, height)

    @property
    def extent(self) -> float:
        """The larger side of the box that the middle of the picture moves in, and one pixel: as of a blur kernel."""
        return float(np.ptp(self.poses[:, :2], axis=0).max()) + 1.0

    @property
    def reach(self) -> int:
        """Pixels by which any position in the picture moves from where it is without the camera, at most, rounded up."""
        x, y, angle, log_zoom = (float(v) for v in np.abs(self.poses).max(axis=0))
        return math.ceil(max(x, y) + self._corner * (angle + math.expm1(log_zoom))) + 1

    @property
    def _corner(self) -> float:
        return math.hypot(self.width, self.height) / 2

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each frame is added, at equal times within its part of the exposure: int64 [frames]."""
        counts = np.empty(self.frames, np.int64)
        count_steps(self.poses, self._corner, LARGEST_STEP, counts)
        return counts

    def matrices(self, origin: float) -> list[NDArray[np.float64]]:
        """Where our pixels look each time that a frame is added, in a picture that begins `origin` pixels before ours, left
        and above.

        One array per frame: float64 [times, 2, 3], position = matrix @ (x, y, 1).
        """
        matrices = np.empty((int(self.counts.sum()), 2, 3))
        path_matrices(self.poses, self.counts, (self.width - 1) / 2, (self.height - 1) / 2, origin, matrices)
        ends = np.cumsum(self.counts)
        return [matrices[end - count : end] for end, count in zip(ends, self.counts, strict=True)]


def gather(
    frames: Sequence[NDArray[np.uint8]],
    path: CameraPath,
    left: int,
    top: int,
    response: Response,
    highlights: float | None = None,
) -> NDArray[np.float32]:
    """The light that gathers on the sensor of a camera that moves along `path` while it sees these frames one after the other.

    frames: uint8 [H, W, 3], as many as the path has; left, top: where the picture begins in them that an unmoved camera takes
    (mirrored beyond the border); highlights: see `Sensor`. Returns float32 [path.height, path.width, 3], 1 is the light of code
    value 255.
    """
    margin = path.reach
    intensity = np.empty((path.height + 2 * margin + 1, path.width + 2 * margin + 1, 3), np.float32)
    table, numbers = intensity_table(response), pixel_numbers(path.width)
    total = np.zeros((path.height, path.width, 3), np.float32)
    for frame, matrices in zip(frames, path.matrices(margin), strict=True):
        read_intensity(frame, left - margin, top - margin, table, intensity)
        if highlights is not None:
            brighten(intensity, HIGHLIGHT, highlights)
        add_warped(intensity, matrices, numbers, 1.0 / (len(frames) * len(matrices)), total)
    return total
