"""Page-locked memory, through which frames and crops are copied to the device and back."""

from __future__ import annotations

import threading
from typing import cast

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.tensorrt.device import Device, DeviceMemory, OutOfMemoryError
from streamdeblur.engines.tensorrt.thread import DeviceThread

SMALLEST = 1 << 20
"""Bytes of the smallest block."""


class StagingPool:
    """Blocks of page-locked memory, of which there are as many as are in use at once."""

    def __init__(self, device: Device, thread: DeviceThread) -> None:
        self._device, self._thread = device, thread
        self._lock = threading.Lock()
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """Take a block of at least `size` bytes, uint8 [n], whose content is undefined.

        Raises:
            OutOfMemoryError: The system has too little page-locked memory.
        """
        with self._lock:
            fitting = [n for n, block in enumerate(self._free) if block.size >= size]
            if fitting:
                return self._free.pop(min(fitting, key=lambda n: self._free[n].size))
        return self._thread.call(lambda: self._allocate(max(SMALLEST, 1 << (size - 1).bit_length())))

    def give_back(self, block: NDArray[np.uint8]) -> None:
        """Make a block free for the next one who takes one."""
        with self._lock:
            self._free.append(block)

    def _allocate(self, size: int) -> NDArray[np.uint8]:
        try:
            block: NDArray[np.uint8] = self._device.cuda.pagelocked_empty(size, np.uint8)
        except self._device.cuda.MemoryError:
            raise OutOfMemoryError(f"The system has no {size / 2**20:.0f} MiB of page-locked memory free.") from None
        return block

    def close(self) -> None:
        """Free the blocks that are not taken, on the device's thread. The others are freed with their arrays."""
        with self._lock:
            blocks, self._free = self._free, []
        for block in blocks:
            # pycuda's HostAllocation, which owns the memory of the array
            cast(DeviceMemory, block.base).free()
