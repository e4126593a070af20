"""The memory of the faces of a batch: crops that stay on the device, each uploaded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.tensorrt.kernels import BLOCK, Grid
from streamdeblur.faces.neighbours import HALF_SIZE, HalfLuma, Neighbours

FLOAT_BYTES = np.dtype(np.float16).itemsize
ENTRY_BYTES = HALF_SIZE * HALF_SIZE * FLOAT_BYTES
"""Bytes of a neighbouring crop on the device: a half luma in half precision, 32 KiB."""
SLOTS = 256
"""Crops that are kept on the device, 8 MiB; more where a single batch needs more."""
ALIGNMENT = 256
VALUES_OF_THREAD = 8


@dataclass(frozen=True)
class StagedMemory:
    """The memory of a batch in a staging block, [numbers of the slots | crops that are new on the device]."""

    faces: int
    entries: int
    """Neighbours that the network takes for each face; 0 without a memory."""
    at: int
    """Where it begins in the block, in bytes."""
    numbers: NDArray[np.int32]
    """The slot of each neighbour, int32 [faces, entries]; -1 for none."""
    new: Sequence[tuple[int, HalfLuma]]
    """The crops that are uploaded with this batch, each with its slot."""
    slots: int
    """Slots that the device must have."""

    @property
    def new_at(self) -> int:
        """Where the new crops begin in the block, in bytes."""
        return self.at + -(-self.numbers.nbytes // ALIGNMENT) * ALIGNMENT

    @property
    def end(self) -> int:
        """Where it ends in the block, in bytes."""
        return self.new_at + len(self.new) * ENTRY_BYTES

    @property
    def blocks(self) -> Grid:
        """Grid of the launch that gathers it."""
        threads = HALF_SIZE * HALF_SIZE // VALUES_OF_THREAD
        return -(-threads // (BLOCK[0] * BLOCK[1])), 1, self.faces * self.entries

    def numbers_in(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of the numbers in a block."""
        return block[self.at : self.at + self.numbers.nbytes]

    def new_in(self, block: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
        """The bytes of a new crop in a block."""
        begin = self.new_at + place * ENTRY_BYTES
        return block[begin : begin + ENTRY_BYTES]

    def write(self, block: NDArray[np.uint8]) -> None:
        """Write it into a block."""
        if not self.entries:
            return
        self.numbers_in(block).view(np.int32)[:] = self.numbers.reshape(-1)
        for place, (_, luma) in enumerate(self.new):
            self.new_in(block, place).view(np.float16)[:] = luma.reshape(-1)


class MemorySlots:
    """Which crops are on the device, and where. Batches are placed in the order in which they are launched.

    A crop that a batch in flight reads is not overwritten too early: uploads and launches are in one stream.
    """

    def __init__(self, entries: int) -> None:
        """`entries`: neighbours that the network takes for each face."""
        self._entries, self._count = entries, SLOTS
        self._lock = threading.Lock()
        # a crop is known by the array, which is kept so that no other one gets its address
        self._slots: OrderedDict[int, tuple[int, HalfLuma]] = OrderedDict()

    def place(self, faces: int, neighbours: Sequence[Neighbours], at: int) -> StagedMemory:
        """Find slots for the neighbours of each face of a batch, () where no face has any.

        Args:
            faces: Number of faces.
            neighbours: Of each face; those of crops of another size are left out.
            at: Where the memory begins in the staging block.
        """
        numbers = np.full((faces, self._entries), -1, np.int32)
        new: list[tuple[int, HalfLuma]] = []
        if not self._entries:
            return StagedMemory(faces, 0, at, numbers, new, 0)
        with self._lock:
            fitting = [[one for one in near if one.shape == (HALF_SIZE, HALF_SIZE)][: self._entries] for near in neighbours]
            self._make_room({id(one) for near in fitting for one in near})
            for face, near in enumerate(fitting):
                for entry, luma in enumerate(near):
                    numbers[face, entry] = self._slot(luma, new)
            return StagedMemory(faces, self._entries, at, numbers, new, self._count)

    def forget(self) -> None:
        """Take all crops for lost: what should have uploaded them has failed."""
        with self._lock:
            self._slots.clear()

    def _make_room(self, needed: set[int]) -> None:
        """Move the crops of a batch to the end of those that make room, and have as many slots as they need."""
        for key in needed & self._slots.keys():
            self._slots.move_to_end(key)
        if len(needed) > self._count:
            # the device's slots are allocated anew, which loses what they have
            self._count = 1 << (len(needed) - 1).bit_length()
            self._slots.clear()

    def _slot(self, luma: HalfLuma, new: list[tuple[int, HalfLuma]]) -> int:
        known = self._slots.get(id(luma))
        if known is not None:
            return known[0]
        number = len(self._slots) if len(self._slots) < self._count else self._slots.popitem(last=False)[1][0]
        self._slots[id(luma)] = number, luma
        new.append((number, luma))
        return number
