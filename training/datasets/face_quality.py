"""How sharp a face is, and how much it moves."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.gain import FACE_BEGIN, FACE_END
from streamdeblur.faces.window import CROP_SIZE

FACE_SIDE = (FACE_END - FACE_BEGIN) * CROP_SIZE // 16
"""Pixels of the face that are measured, of a crop of 256 px whose window is 1.7 times the face: its size and a little more."""
FLOW_SIDE = 80
"""Pixels of the measured face when motion is estimated."""


def sharpness(crop: NDArray[np.uint8], centre: tuple[float, float] = (128.0, 128.0), scale: float = 1.0) -> float:
    """Measure the sharpness of a face: the variance of the Laplacian of its luma at the resolution of a crop of 256 px.

    Args:
        crop: uint8 RGB [H, W, 3].
        centre: x, y of the face in pixels.
        scale: Size of the face relative to that in a crop of 256 px whose window is 1.7 times the face.

    Returns:
        The variance; below 30 a face is soft.
    """
    return float(cv2.Laplacian(face_luma(crop, centre, scale, FACE_SIDE), cv2.CV_32F).var())


def face_luma(crop: NDArray[np.uint8], centre: tuple[float, float], scale: float, side: int) -> NDArray[np.uint8]:
    """Return the luma of the square around a face, uint8 [side, side]; centre and scale as in `sharpness`."""
    reach = FACE_SIDE * scale / 2
    height, width = crop.shape[:2]
    left, top = (
        round(min(max(c - reach, 0.0), max(size - 2 * reach, 0.0))) for c, size in zip(centre, (width, height), strict=True)
    )
    part = crop[top : top + round(2 * reach), left : left + round(2 * reach)]
    luma = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    if luma.shape != (side, side):
        luma = cv2.resize(luma, (side, side), interpolation=cv2.INTER_AREA)
    return luma.astype(np.uint8, copy=False)


class FaceMotion:
    """Mean motion of a face from frame to frame, by dense optical flow (DIS; Kroeger et al. 2016) at low resolution."""

    def __init__(self, centre: tuple[float, float], scale: float) -> None:
        """Take `centre` and `scale`, as in `sharpness`, of the face on average: the measured square stands still."""
        self._centre, self._scale = centre, scale
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._previous: NDArray[np.uint8] | None = None

    def __call__(self, crop: NDArray[np.uint8]) -> float:
        """Return by how many pixels of a crop of 256 px the face moved since the frame before; 0 for the first frame."""
        luma = face_luma(crop, self._centre, self._scale, FLOW_SIDE)
        previous, self._previous = self._previous, luma
        if previous is None:
            return 0.0
        flow = self._flow.calc(previous, luma, None)
        return float(np.hypot(flow[..., 0], flow[..., 1]).mean()) * FACE_SIDE / FLOW_SIDE
