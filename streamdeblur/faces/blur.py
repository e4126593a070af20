"""The blur of a face, measured in its crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.gain import face_square
from streamdeblur.kernels.sharpness import blur_effect, reduced_luma


def face_blur(crop: NDArray[np.uint8], side: float) -> float:
    """Measure the blur of the face in a crop (`streamdeblur.kernels.sharpness.blur_effect`), at about the frame's resolution.

    Args:
        crop: uint8 RGB [S, S, 3].
        side: Side in pixels of the window that the crop was read from.

    Returns:
        The blur in [0, 1]: 0 is sharp, 1 is smooth.
    """
    return float(blur_effect(reduced_luma(crop, *face_square(crop.shape[0], side))))
