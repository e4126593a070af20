"""Fields of motion on a coarse grid: so small that NumPy would spend its time on the calls."""

from __future__ import annotations

import numpy as np

from streamdeblur.kernels.checked import checked
from streamdeblur.kernels.jit import Array, kernel


@checked(motion="float32 [h, w, 2], strided")
@kernel
def mean_length(motion: Array) -> float:
    """Return the mean length of vectors: float32 [h, w, 2]."""
    total = 0.0
    for y in range(motion.shape[0]):
        for x in range(motion.shape[1]):
            across, down = motion[y, x, 0], motion[y, x, 1]
            total += np.sqrt(across * across + down * down)
    mean: float = total / (motion.shape[0] * motion.shape[1])
    return mean


@checked(motion="float32 [h, w, 2], strided", net="float32 [h, w, 2], strided, written")
@kernel
def add_motion(motion: Array, net: Array) -> float:
    """Add a motion, ``net += motion``, both float32 [h, w, 2]; return its mean length."""
    for y in range(motion.shape[0]):
        for x in range(motion.shape[1]):
            net[y, x, 0] += motion[y, x, 0]
            net[y, x, 1] += motion[y, x, 1]
    length: float = mean_length(motion)
    return length
