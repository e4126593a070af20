"""The memory of the faces of a batch on its way to the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.neighbours import HALF_SIZE, Neighbours, write_memory

FLOAT_BYTES = np.dtype(np.float16).itemsize
ENTRY_BYTES = HALF_SIZE * HALF_SIZE * FLOAT_BYTES
"""Bytes of a neighbouring crop on the device: a half luma in half precision, 32 KiB."""


@dataclass(frozen=True)
class StagedMemory:
    """The memory of the faces of a batch in a staging block, [memory | validity], in half precision.

    It is written on the host for each batch: a face needs 32 KiB for each neighbour, less than the lines of its window.
    """

    faces: int
    entries: int
    """Neighbours that the network takes for each face; 0 without a memory."""
    at: int
    """Where it begins in the block, in bytes."""

    @property
    def memory_bytes(self) -> int:
        return self.faces * self.entries * ENTRY_BYTES

    @property
    def validity_bytes(self) -> int:
        return self.faces * self.entries * FLOAT_BYTES

    @property
    def end(self) -> int:
        """Where it ends in the block, in bytes."""
        return self.at + self.memory_bytes + self.validity_bytes

    def memory(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of the memory in a block: float16 [faces, entries, 128, 128]."""
        return block[self.at : self.at + self.memory_bytes]

    def validity(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of the validity in a block: float16 [faces, entries]."""
        return block[self.at + self.memory_bytes : self.end]

    def write(self, block: NDArray[np.uint8], neighbours: Sequence[Neighbours]) -> None:
        """Write the neighbours of each face, or () where no face has any, into a block."""
        if not self.entries:
            return
        memory = self.memory(block).view(np.float16).reshape(self.faces, self.entries, HALF_SIZE, HALF_SIZE)
        validity = self.validity(block).view(np.float16).reshape(self.faces, self.entries)
        for face, near in enumerate(neighbours or [()] * self.faces):
            write_memory(near, memory[face], validity[face])
