"""Staging: page-locked memory through which frames and crops go to the device and come back."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.tensorrt.device import Device, OutOfMemoryError
from streamdeblur.engines.tensorrt.thread import DeviceThread

SMALLEST = 1 << 20
"""Bytes of the smallest block."""


class StagingPool:
    """Blocks of page-locked memory, as many as are in use at once: two where the caller keeps two frames in flight."""

    def __init__(self, device: Device, thread: DeviceThread) -> None:
        self._device, self._thread = device, thread
        self._lock = threading.Lock()
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """A block of at least `size` bytes, uint8 [n]; what is in it is of no meaning.

        Raises:
            OutOfMemoryError: The system does not give so much page-locked memory.
        """
        with self._lock:
            fitting = [n for n, block in enumerate(self._free) if block.size >= size]
            if fitting:
                return self._free.pop(min(fitting, key=lambda n: self._free[n].size))
        return self._thread.call(lambda: self._allocate(max(SMALLEST, 1 << (size - 1).bit_length())))

    def give_back(self, block: NDArray[np.uint8]) -> None:
        with self._lock:
            self._free.append(block)

    def _allocate(self, size: int) -> NDArray[np.uint8]:
        try:
            block: NDArray[np.uint8] = self._device.cuda.pagelocked_empty(size, np.uint8)
        except self._device.cuda.MemoryError:
            raise OutOfMemoryError(f"The system has no {size / 2**20:.0f} MiB of page-locked memory free.") from None
        return block

    def close(self) -> None:
        """Free the blocks that nobody has; on the device's thread. Those that are taken go when they are let go."""
        with self._lock:
            blocks, self._free = self._free, []
        for block in blocks:
            owner: Any = block.base
            owner.free()
