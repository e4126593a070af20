"""The square views of a face that a landmark network is given: the middle of a window, then upright around the points found."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image, Points

Matrix = NDArray[np.float64]
"""[2, 3]: the map from pixels of a picture to those of a view."""


@dataclass(frozen=True)
class FaceViews:
    """Squares around faces, of one size in pixels."""

    side: int
    """In pixels."""
    scale: float
    """Side relative to the size of the face."""

    def around(self, centre: NDArray[np.float64], face: float, angle: float) -> Matrix:
        """Return the view around a face.

        Args:
            centre: Its x and y in pixels of the picture.
            face: Its size in these pixels.
            angle: Its tilt in rad, which the view has, too.
        """
        turn = self.side / (self.scale * face) * _rotation(angle)
        return np.column_stack([turn, self.side / 2 - turn @ centre])

    def upright(self, points: Points, left: NDArray[np.float64], right: NDArray[np.float64]) -> Matrix:
        """Return the view around points [N, 2], rotated so that the line from `left` to `right` is level.

        The size of the face is the longer side of the box around its points.
        """
        angle = float(np.arctan2(*(right - left)[::-1]))
        turn = _rotation(angle)
        level = points @ turn.T
        low, high = level.min(0), level.max(0)
        return self.around((low + high) / 2 @ turn, float((high - low).max()), angle)

    def picture(self, picture: Image, matrix: Matrix) -> Image:
        """Return a view of a picture, uint8 [H, W] or [H, W, 3]; beyond the border, the picture repeats its last pixels."""
        size, border = (self.side, self.side), cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)


def mapped(points: Points, matrix: Matrix) -> Points:
    """Return points [N, 2] of a picture in pixels of a view."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def mapped_back(points: Points, matrix: Matrix) -> Points:
    """Return points [N, 2] of a view in pixels of the picture."""
    return mapped(points, np.asarray(cv2.invertAffineTransform(matrix), np.float64))


def _rotation(angle: float) -> NDArray[np.float64]:
    """[2, 2]: rotates by `-angle`."""
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
