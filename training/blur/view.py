"""View: a rectangle of a frame that becomes a picture of its own."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.intensity import read_intensity
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.synthetic import develop, intensity_table

Image = NDArray[np.uint8]
Intensity = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A rectangle of a frame, and the size that it is resampled to. It may hang over the border, where the frame is mirrored."""

    left: int
    top: int
    width: int
    height: int
    size: int | None = None
    """Side in pixels of what is made of it; None keeps width and height."""
    scale: float = 1.0
    """Pixels of what is made of it per pixel of the frame."""

    @classmethod
    def of(cls, frame: Image) -> View:
        """All of a frame."""
        return cls(0, 0, frame.shape[1], frame.shape[0])

    @classmethod
    def square(cls, left: int, top: int, side: int, size: int, scale: float | None = None) -> View:
        """A square that is brought to `size` pixels."""
        return cls(left, top, side, side, size, size / side if scale is None else scale)

    def pixels(self, frame: Image, response: Response) -> Image:
        """What lies in it: uint8 RGB [size, size, 3], resampled in light where its side differs."""
        if self.size is None or self.size == self.width:
            crop = np.empty((self.height, self.width, 3), np.uint8)
            read_intensity(frame, self.left, self.top, np.arange(256, dtype=np.uint8), crop)
            return crop
        return develop(self.resampled(self.intensity(frame, response)), response)

    def intensity(self, frame: Image, response: Response, margin: int = 0) -> Intensity:
        """Light of what lies in it and `margin` pixels around it: float32 [height + 2 margin, width + 2 margin, 3]."""
        intensity = np.empty((self.height + 2 * margin, self.width + 2 * margin, 3), np.float32)
        read_intensity(frame, self.left - margin, self.top - margin, intensity_table(response), intensity)
        return intensity

    def resampled(self, intensity: Intensity) -> Intensity:
        """Light of a square view at its size: float32 [size, size, 3]."""
        if self.size is None or self.size == self.width:
            return intensity
        way = cv2.INTER_AREA if self.width > self.size else cv2.INTER_CUBIC
        return np.maximum(cv2.resize(intensity, (self.size, self.size), interpolation=way), np.float32(0.0))
