"""Face boxes of the Viola-Jones detector, which LFW and YouTube Faces were made with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FACE = 1.1
"""Size of our detector's face box relative to theirs, which ends at the chin and mid-forehead. (CenterFace on 150 pictures of
LFW: median 1.1; the centres differ by 1 % of the picture.)"""
EXPANSION = 2.2
"""Side of the pictures of LFW and of ``aligned_images_DB``, relative to the face box that they were cropped around."""


def box_of(x: float, y: float, size: float) -> NDArray[np.float64]:
    """Return our face box (x0, y0, x1, y1) for one of theirs, given by its centre and size in pixels."""
    reach = FACE * size / 2
    return np.array([x - reach, y - reach, x + reach, y + reach], np.float64)


def cropped_box(height: int, width: int) -> NDArray[np.float64]:
    """Return our face box in a picture of this size that was cropped around one of theirs."""
    return box_of(width / 2, height / 2, min(height, width) / EXPANSION)
