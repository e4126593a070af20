"""CameraPath: a virtual hand-held camera that moves over the frames while they are exposed.

Talking faces alone move little. The path moves each frame before it is added, so that facial motion and camera shake mix in one
exposure. Where a frame's part of the path is long, the frame is added several times along it: no ghost copies show.
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
from streamdeblur.training.blur.response import Response, intensity_table
from streamdeblur.training.blur.sensor import HIGHLIGHT
from streamdeblur.training.blur.trajectories import WAVE_SECONDS, consecutive_exposures, handshake

LARGEST_STEP = 1.5
"""Largest distance in pixels that any part of the picture moves from one addition of a frame to the next."""
TURN = 0.35
"""Largest fraction of the extent by which the corners move because the camera turns."""
ZOOM = 0.15
"""Largest fraction of the extent by which the corners move because the camera comes closer or zooms."""
FINENESS = 16
"""Fewest points of the path per frame."""


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Poses of a camera over one exposure, at equal intervals. Their mean is no motion: blur does not shift the picture."""

    poses: NDArray[np.float32]
    """x and y in pixels, angle in radians, logarithm of the zoom: float32 [points, 4], smooth."""
    frames: int
    """Frames that share the exposure equally."""
    width: int
    height: int
    """Size of the picture; its middle is the centre of turning and zooming."""

    @classmethod
    def sample(cls, random: np.random.Generator, frames: int, extent: float, width: int, height: int) -> CameraPath:
        """Sample a random hand-shake.

        Args:
            random: Source of the random numbers.
            frames: Frames that share the exposure.
            extent: Extent of the path at the picture's middle in pixels, as of a blur kernel (`trajectories`); 1 is a camera that
                does not move. Because the camera also turns and zooms, the corners move by up to half as much again.
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
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
    def sample_run(
        cls, random: np.random.Generator, exposures: int, frames: int, extent: float, width: int, height: int, present: int = -1
    ) -> list[CameraPath]:
        """Sample a hand-shake that goes on over several exposures.

        Args:
            random: Source of the random numbers.
            exposures: Number of exposures.
            frames: Frames that share each of them.
            extent: Extent of the path in the present exposure in pixels; less where that of another one would exceed the largest
                kernel's.
            width: Width of the picture in pixels.
            height: Height of the picture in pixels.
            present: Index of the present exposure; the last one by default.

        Returns:
            The path of each exposure, without its mean: a tracker's window follows the face.
        """
        whole = cls.sample(random, exposures * frames, 2.0, width, height)
        points = len(whole.poses) // exposures
        parts = whole.poses[: points * exposures].reshape(exposures, points, 4)
        return [cls(part, frames, width, height) for part in consecutive_exposures(parts, extent, present)]

    @classmethod
    def still(cls, frames: int, width: int, height: int) -> CameraPath:
        """Return the path of a camera that does not move."""
        return cls(np.zeros((2, 4), np.float32), frames, width, height)

    @property
    def extent(self) -> float:
        """Extent in pixels, as of a blur kernel: the larger side of the box that the picture's middle moves in, and one pixel."""
        return float(np.ptp(self.poses[:, :2], axis=0).max()) + 1.0

    @property
    def reach(self) -> int:
        """Largest distance in pixels, rounded up, of any position in the picture from where it is without the camera's motion."""
        x, y, angle, log_zoom = (float(v) for v in np.abs(self.poses).max(axis=0))
        return math.ceil(max(x, y) + self._corner * (angle + math.expm1(log_zoom))) + 1

    @property
    def _corner(self) -> float:
        return math.hypot(self.width, self.height) / 2

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of times that each frame is added, at equal times within its part of the exposure: int64 [frames]."""
        counts = np.empty(self.frames, np.int64)
        count_steps(self.poses, self._corner, LARGEST_STEP, counts)
        return counts

    def matrices(self, origin: float) -> list[NDArray[np.float64]]:
        """Compute which position of a frame each pixel shows, for each time that the frame is added.

        Args:
            origin: Pixels by which the frame's view begins before the picture, left and above.

        Returns:
            One array for each frame, float64 [times, 2, 3]: position in the view = matrix @ (x, y, 1).
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
    """Add up the linear intensity of frames under a moving camera.

    Args:
        frames: uint8 [H, W, 3], as many as the path has.
        path: Motion of the camera.
        left: Column of the frames where the picture of a still camera begins; frames are mirrored beyond their border.
        top: Row of the frames where it begins.
        response: Response of the camera.
        highlights: Gain of white areas, see `Sensor`; None for none.

    Returns:
        float32 [path.height, path.width, 3]; 1 is the linear intensity of code value 255.
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
