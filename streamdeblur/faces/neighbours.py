"""What a network with a memory gets beside a crop: neighbouring crops of the same face, as luma at half resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.kernels.luma import half_luma, mean_difference

HALF_SIZE = CROP_SIZE // 2
"""Side of the `HalfLuma` of a crop of `CROP_SIZE`."""


class LumaOnDevice(Protocol):
    """A half luma that an engine keeps on its device, in half precision."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(S / 2, S / 2)."""

    def difference(self, other: LumaOnDevice) -> float:
        """Return the mean absolute difference of two of one size; infinity where it is not known."""

    def to_host(self) -> NDArray[np.float32]:
        """Return it in the memory of the host.

        Raises:
            EngineError: The device has failed, or is closed.
        """


HalfLuma = NDArray[np.float32] | LumaOnDevice
"""float32 [S / 2, S / 2]: the luma of a crop in [0, 1] at half of its resolution, 64 KiB at most; not changed once it is made."""
Neighbours = Sequence[HalfLuma]
"""Those of the crops nearest in time, nearest first; a network takes as many as it has a memory for, or fewer."""


def half_luma_of(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the half luma of a crop, uint8 RGB [S, S, 3]."""
    out = np.empty((crop.shape[0] // 2, crop.shape[1] // 2), np.float32)
    half_luma(crop, out)
    return out


def luma_difference(one: HalfLuma, other: HalfLuma) -> float:
    """Return the mean absolute difference of two half lumas of one size; infinity where they are in two places."""
    if isinstance(one, np.ndarray):
        return mean_difference(one, other) if isinstance(other, np.ndarray) else math.inf
    return math.inf if isinstance(other, np.ndarray) else one.difference(other)


def write_memory(neighbours: Neighbours, memory: NDArray[Any], validity: NDArray[Any]) -> None:
    """Write the inputs of a network for one crop.

    Args:
        neighbours: The first M of them are written; those of crops of another size are left out.
        memory: [M, S / 2, S / 2] of any type of float, written; zero where there is no neighbour.
        validity: [M], written: 1 where there is a neighbour, else 0.
    """
    # one engine may take over from another that takes crops of other sizes
    neighbours = [neighbour for neighbour in neighbours if neighbour.shape == memory.shape[1:]]
    entries = min(len(neighbours), len(memory))
    for entry, neighbour in zip(memory, neighbours, strict=False):
        entry[:] = neighbour
    # values without validity have no weight, but left over from another face they might be infinite after all
    memory[entries:] = 0
    validity[:entries], validity[entries:] = 1, 0


def neighbours_of_crops(
    crops: NDArray[np.uint8],
    memory: NDArray[np.uint8] | None,
    validity: NDArray[np.bool_ | np.number[Any]] | None,
    entries: int,
) -> list[Neighbours]:
    """Return the first valid neighbours of each crop.

    Args:
        crops: uint8 RGB [N, S, S, 3].
        memory: uint8 RGB [N, M, S, S, 3]; None for no neighbours.
        validity: [N, M], 0 or 1; None where all of `memory` is valid.
        entries: The most neighbours of a crop.

    Returns:
        Those of each crop.

    Raises:
        ValueError: Arrays of another type or shape.
    """
    if memory is None:
        if validity is not None:
            raise ValueError("A validity needs the memory that it is about.")
        return []
    count, *shape = crops.shape
    needed = f"uint8 [{count}, M, {', '.join(map(str, shape))}]"
    if not isinstance(memory, np.ndarray):
        raise ValueError(f"The memory of crops is an array, {needed} (got {type(memory).__name__}).")
    if memory.dtype != np.uint8 or memory.ndim != 5 or memory.shape[0] != count or list(memory.shape[2:]) != shape:
        raise ValueError(f"The memory of {count} crops is {needed} (got {memory.dtype} {list(memory.shape)}).")
    valid = np.ones(memory.shape[:2], np.bool_) if validity is None else np.asarray(validity)
    if valid.shape != memory.shape[:2] or not np.isin(valid, (0, 1)).all():
        raise ValueError(f"A validity is 0 or 1, {list(memory.shape[:2])} (got {valid.dtype} {list(valid.shape)}).")
    chosen = (np.flatnonzero(row)[:entries] for row in valid)
    return [[half_luma_of(np.ascontiguousarray(near[n])) for n in row] for near, row in zip(memory, chosen, strict=True)]
