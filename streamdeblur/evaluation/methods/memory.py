"""The memory of a network that restores an exposure from several: its neighbours, as the network takes them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Case, Image, Neighbours
from streamdeblur.faces.memory import LONGEST_GAP, REPEATED, SAME_FACE, RememberedCrop, TrackMemory
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.kernels.luma import half_luma

RULES = f"neighbours by {LONGEST_GAP} {SAME_FACE} {REPEATED:.4f}"
"""What the choice of exposures depends on, for the fingerprint of a method."""


def chosen(case: Case, entries: int, past: int | None, ahead: int) -> list[Image]:
    """Choose the exposures that a memory holds, as the product does: by place and likeness (`streamdeblur.faces.memory`).

    Args:
        case: The present exposure, with those around it; one without any is no part of a run.
        entries: Entries of the memory.
        past: Exposures before the present one at most; None for as many as fit.
        ahead: Exposures after it at most, as many as a stream looks ahead.

    Returns:
        The exposures, nearest first, and the earlier of two equally near.
    """
    around = case.neighbours or Neighbours()
    before = around.before if past is None else around.before[max(0, len(around.before) - past) :]
    after = around.after[:ahead]
    pictures = [*before, case.blurry, *after]
    # all crops of a run have windows of one size
    crops = [RememberedCrop.of(n, CROP_SIZE, _fitted(picture, (CROP_SIZE, CROP_SIZE))) for n, picture in enumerate(pictures)]
    memory = TrackMemory()
    for crop in crops:
        memory.remember(crop, entries + 1 + len(after))
    numbers = {id(crop.luma): number for number, crop in enumerate(crops)}
    return [pictures[numbers[id(luma)]] for luma in memory.neighbours(crops[len(before)], entries)]


def _fitted(picture: Image, size: tuple[int, int]) -> Image:
    """A picture of a height and width, C-contiguous."""
    fitting = picture if picture.shape[:2] == size else np.asarray(cv2.resize(picture, size[::-1]), np.uint8)
    return np.ascontiguousarray(fitting)


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
    for n, crop in enumerate(crops):
        half_luma(_fitted(crop, (2 * side[0], 2 * side[1])), memory[0, n])
        validity[0, n] = 1.0
    return memory, validity
