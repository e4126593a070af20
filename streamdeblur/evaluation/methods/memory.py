"""The memory of a network that restores an exposure from several: its neighbours, as the network takes them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image, Neighbours
from streamdeblur.kernels.luma import half_luma


def chosen(neighbours: Neighbours | None, entries: int, past: int | None, ahead: int) -> list[Image]:
    """Choose the exposures that a memory holds: the nearest ones.

    Args:
        neighbours: The exposures around the present one; None for a face that is no part of a run.
        entries: Entries of the memory.
        past: Exposures before the present one at most; None for as many as fit.
        ahead: Exposures after it at most, for which entries are kept.
    """
    if neighbours is None:
        return []
    after = neighbours.after[: min(ahead, entries)]
    room = entries - min(ahead, entries)
    before = neighbours.before[::-1][: room if past is None else min(past, room)]
    return [*before, *after]


def memory_tensors(crops: list[Image], entries: int, side: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fill a memory.

    Args:
        crops: The exposures that it holds, uint8 RGB [H, W, 3].
        entries: Entries of the memory.
        side: Height and width of its pictures; crops of another size than twice that are scaled first.

    Returns:
        The memory, float32 [1, entries, h, w], luma at half the resolution of the crops; and its validity, float32 [1, entries],
        1 for each entry that is filled.
    """
    memory, validity = np.zeros((1, entries, *side), np.float32), np.zeros((1, entries), np.float32)
    whole = 2 * side[0], 2 * side[1]
    for n, crop in enumerate(crops):
        fitting = crop if crop.shape[:2] == whole else np.asarray(cv2.resize(crop, whole[::-1]), np.uint8)
        half_luma(np.ascontiguousarray(fitting), memory[0, n])
        validity[0, n] = 1.0
    return memory, validity
