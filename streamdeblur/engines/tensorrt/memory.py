"""The memory of the faces of a batch: crops that stay on the device, each made there or uploaded once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.tensorrt.kernels import BLOCK, Grid
from streamdeblur.engines.tensorrt.reader import ENTRY_BYTES, DeviceLuma
from streamdeblur.faces.neighbours import HALF_SIZE, Neighbours

FLOAT_BYTES = np.dtype(np.float16).itemsize
SLOTS = 256
"""Crops that are kept on the device, 8 MiB; more where a single batch needs more."""
ALIGNMENT = 256
VALUES_OF_THREAD = 8


@dataclass(frozen=True)
class StagedMemory:
    """The memory of a batch in a staging block, [addresses of the neighbours | crops that are new on the device]."""

    faces: int
    entries: int
    """Neighbours that the network takes for each face; 0 without a memory."""
    at: int
    """Where it begins in the block, in bytes."""
    numbers: NDArray[np.int32]
    """The slot of each neighbour, int32 [faces, entries]; -1 for none, and for one that was made on the device."""
    addresses: NDArray[np.uint64]
    """Where those that were made on the device are, uint64 [faces, entries]; 0 elsewhere."""
    new: Sequence[tuple[int, NDArray[np.float32]]]
    """The crops that are uploaded with this batch, each with its slot."""
    slots: int
    """Slots that the device must have."""

    @property
    def new_at(self) -> int:
        """Where the new crops begin in the block, in bytes."""
        return self.at + -(-self.addresses.nbytes // ALIGNMENT) * ALIGNMENT

    @property
    def end(self) -> int:
        """Where it ends in the block, in bytes."""
        return self.new_at + len(self.new) * ENTRY_BYTES

    @property
    def blocks(self) -> Grid:
        """Grid of the launch that gathers it."""
        threads = HALF_SIZE * HALF_SIZE // VALUES_OF_THREAD
        return -(-threads // (BLOCK[0] * BLOCK[1])), 1, self.faces * self.entries

    def addresses_in(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of the addresses in a block."""
        return block[self.at : self.at + self.addresses.nbytes]

    def write_addresses(self, block: NDArray[np.uint8], slots: int) -> None:
        """Write the address of each neighbour into a block, 0 for none; `slots` is that of the first slot."""
        in_slots = np.uint64(slots) + self.numbers.astype(np.uint64) * np.uint64(ENTRY_BYTES)
        self.addresses_in(block).view(np.uint64)[:] = np.where(self.numbers < 0, self.addresses, in_slots).reshape(-1)

    def new_in(self, block: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
        """The bytes of a new crop in a block."""
        begin = self.new_at + place * ENTRY_BYTES
        return block[begin : begin + ENTRY_BYTES]

    def write(self, block: NDArray[np.uint8]) -> None:
        """Write its new crops into a block."""
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
        self._slots: OrderedDict[int, tuple[int, NDArray[np.float32]]] = OrderedDict()

    def place(self, faces: int, neighbours: Sequence[Neighbours], at: int) -> StagedMemory:
        """Find slots for the neighbours of each face of a batch, () where no face has any.

        Args:
            faces: Number of faces.
            neighbours: Of each face; those of crops of another size are left out.
            at: Where the memory begins in the staging block.
        """
        numbers = np.full((faces, self._entries), -1, np.int32)
        addresses, new = np.zeros(numbers.shape, np.uint64), list[tuple[int, NDArray[np.float32]]]()
        if not self._entries:
            return StagedMemory(faces, 0, at, numbers, addresses, new, 0)
        with self._lock:
            fitting = [[one for one in near if one.shape == (HALF_SIZE, HALF_SIZE)][: self._entries] for near in neighbours]
            self._make_room({id(one) for near in fitting for one in near if isinstance(one, np.ndarray)})
            for face, near in enumerate(fitting):
                for entry, luma in enumerate(near):
                    if isinstance(luma, DeviceLuma):
                        addresses[face, entry] = luma.address
                    elif isinstance(luma, np.ndarray):
                        numbers[face, entry] = self._slot(luma, new)
            return StagedMemory(faces, self._entries, at, numbers, addresses, new, self._count)

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

    def _slot(self, luma: NDArray[np.float32], new: list[tuple[int, NDArray[np.float32]]]) -> int:
        known = self._slots.get(id(luma))
        if known is not None:
            return known[0]
        number = len(self._slots) if len(self._slots) < self._count else self._slots.popitem(last=False)[1][0]
        self._slots[id(luma)] = number, luma
        new.append((number, luma))
        return number
