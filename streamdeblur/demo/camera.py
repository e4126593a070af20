"""A virtual hand-held camera that moves over a photograph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

GAMMA = 2.2
"""Sub-frames are averaged in linear intensity: code values to this power."""


@dataclass(frozen=True)
class HandheldCamera:
    """A camera that views a part of a photograph, drifts over it and shakes."""

    photograph: NDArray[np.uint8]
    """uint8 RGB [H, W, 3]."""
    width: int = 960
    height: int = 540
    fps: int = 25
    shutter: float = 0.9
    """Exposure time as a share of the frame interval."""
    subframes: int = 15
    """Sub-frames per exposure, an odd number; the middle one is the sharp frame."""
    seed: int = 7

    def poses(self, frames: int) -> NDArray[np.float64]:
        """Return the pose of the camera at each sub-frame.

        Returns:
            x and y (pixels from the centre), angle (radians) and zoom: float64 [frames, subframes, 4].
        """
        offsets = self.shutter * (np.arange(self.subframes) / (self.subframes - 1) - 0.5)
        seconds = (np.arange(frames)[:, None] + offsets) / self.fps
        random = np.random.default_rng(self.seed)
        # Physiological tremor and slower sway, in hertz; the amplitude decreases with the frequency.
        frequencies = np.array([0.4, 0.9, 1.7, 3.1, 5.3, 8.7])
        phases = random.uniform(0, 2 * np.pi, (3, 6))
        waves = np.sin(2 * np.pi * frequencies * seconds[..., None, None] + phases) / frequencies
        shake = waves.sum(-1)
        x = 26.0 * shake[..., 0] + 60.0 * np.sin(2 * np.pi * seconds / 2.4)
        y = 22.0 * shake[..., 1]
        return np.stack([x, y, 0.006 * shake[..., 2], 1.0 + 0.03 * np.sin(seconds)], axis=-1)

    def _view(self, pose: NDArray[np.float64]) -> NDArray[np.uint8]:
        x, y, angle, zoom = pose
        rows, columns = self.photograph.shape[:2]
        fit = zoom * max(self.width / (columns - 260), self.height / (rows - 160))
        cosine, sine = fit * np.cos(angle), fit * np.sin(angle)
        centre = np.array([columns / 2 + x, rows / 2 + y])
        matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
        matrix[:, 2] = np.array([self.width / 2, self.height / 2]) - matrix[:, :2] @ centre
        size = (self.width, self.height)
        return cv2.warpAffine(self.photograph, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT).astype(
            np.uint8
        )

    def frames(self, count: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """Yield pairs of a blurry frame and its sharp counterpart, uint8 RGB [height, width, 3] each."""
        to_linear = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
        for poses in self.poses(count):
            total = np.zeros((self.height, self.width, 3), np.float32)
            for number, pose in enumerate(poses):
                view = self._view(pose)
                cv2.accumulate(cv2.LUT(view, to_linear), total)
                if number == self.subframes // 2:
                    sharp = view
            blurry = 255.0 * (total / self.subframes) ** (1 / GAMMA)
            yield np.rint(blurry).astype(np.uint8), sharp
