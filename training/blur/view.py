"""View: a rectangle of a frame that becomes a picture of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.intensity import read_intensity
from streamdeblur.training.blur.response import Response, develop, intensity_table

Image = NDArray[np.uint8]
Intensity = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A rectangle of a frame, and the size to which it is resampled. It may exceed the border, where the frame is mirrored."""

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
        """Return the view of a whole frame."""
        return cls(0, 0, frame.shape[1], frame.shape[0])

    @classmethod
    def square(cls, left: int, top: int, side: int, size: int, scale: float | None = None) -> View:
        """Return the view of a square.

        Args:
            left: First column.
            top: First row.
            side: Side in pixels of the frame.
            size: Side in pixels of the picture made of it.
            scale: Scale of lengths, where `size / side` is a rounded one.
        """
        return cls(left, top, side, side, size, size / side if scale is None else scale)

    def following(self, boxes: NDArray[np.floating], present: int) -> list[View]:
        """Return as many views of this size as there are boxes, each as far from this one as its box is from the present one.

        They are the windows of a tracker that follows a face.

        Args:
            boxes: x0, y0, x1, y1 of the face in pixels of the frame, [N, 4].
            present: Index of the box that this view belongs to.
        """
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        moved = np.rint(centres - centres[present]).astype(int).tolist()
        return [replace(self, left=self.left + x, top=self.top + y) for x, y in moved]

    def pixels(self, frame: Image, response: Response) -> Image:
        """Return the picture in the view, uint8 RGB [size, size, 3], resampled in linear intensity where sizes differ."""
        if self.size is None or self.size == self.width:
            crop = np.empty((self.height, self.width, 3), np.uint8)
            read_intensity(frame, self.left, self.top, np.arange(256, dtype=np.uint8), crop)
            return crop
        return develop(self.resampled(self.intensity(frame, response)), response)

    def intensity(self, frame: Image, response: Response, margin: int = 0) -> Intensity:
        """Return the intensity in the view and `margin` pixels around: float32 [height + 2 margin, width + 2 margin, 3]."""
        intensity = np.empty((self.height + 2 * margin, self.width + 2 * margin, 3), np.float32)
        read_intensity(frame, self.left - margin, self.top - margin, intensity_table(response), intensity)
        return intensity

    def resampled(self, intensity: Intensity) -> Intensity:
        """Resample the linear intensity of a square view to its size: float32 [size, size, 3]."""
        if self.size is None or self.size == self.width:
            return intensity
        way = cv2.INTER_AREA if self.width > self.size else cv2.INTER_CUBIC
        return np.maximum(cv2.resize(intensity, (self.size, self.size), interpolation=way), np.float32(0.0))
