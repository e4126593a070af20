"""Device: one NVIDIA GPU through pycuda, its primary context shared with whatever else runs there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from streamdeblur.errors import EngineError


@dataclass(frozen=True)
class GPU:
    """What an engine file is made for."""

    name: str
    capability: tuple[int, int]
    """Compute capability, (8, 9) for example."""
    driver: int
    """CUDA version of the driver, 12040 for 12.4."""


class OutOfMemoryError(EngineError):
    """The device has too little free memory for what was asked for."""


class Device:
    """The first GPU that CUDA shows (``CUDA_VISIBLE_DEVICES`` chooses), its context current within `current` and nowhere else."""

    def __init__(self) -> None:
        """Raises EngineError: no pycuda, no driver, or no GPU."""
        try:
            import pycuda.driver as cuda
        except ImportError as error:
            raise EngineError(f"pycuda cannot be loaded ({error}). pip install 'streamdeblur[tensorrt]'.") from None
        self.cuda: Any = cuda
        try:
            cuda.init()
            found = cuda.Device.count()
        except cuda.Error as error:
            raise EngineError(f"The NVIDIA driver does not answer: {error}.") from None
        if not found:
            raise EngineError("CUDA finds no GPU.")
        device = cuda.Device(0)
        self.gpu = GPU(device.name(), device.compute_capability(), cuda.get_driver_version())
        self._context = device.retain_primary_context()

    @contextmanager
    def current(self) -> Iterator[None]:
        """The device's context current on this thread."""
        self._context.push()
        try:
            yield
        finally:
            self.cuda.Context.pop()

    def allocate(self, size: int) -> Any:
        """`size` bytes of device memory; `free` gives them back.

        Raises:
            OutOfMemoryError: There are not as many.
        """
        try:
            return self.cuda.mem_alloc(size)
        except self.cuda.MemoryError:
            raise OutOfMemoryError(f"The GPU has no {size / 2**20:.0f} MiB free.") from None
