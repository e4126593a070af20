"""What a network with a memory gets beside a crop: neighbouring crops of the same face, as luma at half resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.kernels.luma import half_luma

HALF_SIZE = CROP_SIZE // 2
"""Side of a `HalfLuma`."""

HalfLuma = NDArray[np.float32]
"""float32 [128, 128]: the luma of a crop in [0, 1] at half of its resolution, 64 KiB; not changed once it is made."""
Neighbours = Sequence[HalfLuma]
"""Those of the crops nearest in time, nearest first; a network takes as many as it has a memory for, or fewer."""


def half_luma_of(crop: NDArray[np.uint8]) -> HalfLuma:
    """Return the half luma of a crop, uint8 RGB [256, 256, 3]."""
    out = np.empty((HALF_SIZE, HALF_SIZE), np.float32)
    half_luma(crop, out)
    return out


def write_memory(neighbours: Neighbours, memory: NDArray[Any], validity: NDArray[Any]) -> None:
    """Write the inputs of a network for one crop.

    Args:
        neighbours: The first M of them are written.
        memory: [M, 128, 128] of any type of float, written; zero where there is no neighbour.
        validity: [M], written: 1 where there is a neighbour, else 0.
    """
    entries = min(len(neighbours), len(memory))
    for entry, neighbour in zip(memory, neighbours, strict=False):
        entry[:] = neighbour
    # values without validity have no weight, but left over from another face they might be infinite after all
    memory[entries:] = 0
    validity[:entries], validity[entries:] = 1, 0
