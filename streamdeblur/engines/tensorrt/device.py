"""One NVIDIA GPU through pycuda, with the primary context that all libraries of a process share."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from streamdeblur.engines.cards import no_such_card
from streamdeblur.engines.mismatches import mended
from streamdeblur.errors import EngineError
from streamdeblur.installation import install_command


def address_of(memory: DeviceMemory | None) -> int:
    """The address of memory that has been allocated."""
    assert memory is not None
    return int(memory)


@dataclass(frozen=True)
class GPU:
    """The properties of a GPU on which the validity of an engine file depends."""

    name: str
    capability: tuple[int, int]
    """Compute capability, (8, 9) for example."""
    driver: int
    """CUDA version of the driver, 12040 for 12.4."""


class OutOfMemoryError(EngineError):
    """The device has too little free memory."""


class DeviceMemory(Protocol):
    """pycuda.driver.DeviceAllocation."""

    def __int__(self) -> int:
        """The address."""

    def free(self) -> None:
        """Free the memory. A context must be current."""


class Stream(Protocol):
    """pycuda.driver.Stream."""

    @property
    def handle(self) -> int:
        """The address of the CUDA stream."""

    def synchronize(self) -> None:
        """Wait until all work in the stream is done."""


class Event(Protocol):
    """pycuda.driver.Event."""

    def synchronize(self) -> None:
        """Wait until the stream has reached the event."""


class Device:
    """One of the GPUs that CUDA finds; ``CUDA_VISIBLE_DEVICES`` hides some of them.

    Its context is current on a thread within `current`, and nowhere else.
    """

    def __init__(self, number: int = 0) -> None:
        """
        Args:
            number: Number of the GPU, as CUDA counts them.

        Raises:
            EngineError: There is no pycuda, no driver, or no such GPU.
        """
        self.number = number
        try:
            import pycuda.driver as cuda
        except ImportError as error:
            raise EngineError(f"pycuda cannot be loaded ({error}). Install it with: {install_command('tensorrt')}") from None
        self.cuda: ModuleType = cuda
        """The module pycuda.driver."""
        try:
            cuda.init()
            found = cuda.Device.count()
        except cuda.Error as error:
            raise EngineError(mended(f"The NVIDIA driver does not answer: {error}.")) from None
        if number >= found:
            raise EngineError(no_such_card(number, found))
        try:
            device = cuda.Device(number)
            self.gpu = GPU(device.name(), device.compute_capability(), cuda.get_driver_version())
            self._context = device.retain_primary_context()
        except cuda.Error as error:
            raise EngineError(mended(f"The GPU {number} cannot be used: {error}.", number)) from None

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the device's context the current one of this thread."""
        self._context.push()
        try:
            yield
        finally:
            self.cuda.Context.pop()

    def event_after(self, stream: Stream) -> Event:
        """Return an event after all work that is in a stream now. The context must be current."""
        flags = self.cuda.event_flags
        # a blocking wait leaves the cores to the codec
        event = self.cuda.Event(flags.BLOCKING_SYNC | flags.DISABLE_TIMING)
        event.record(stream)
        recorded: Event = event
        return recorded

    def allocate(self, size: int) -> DeviceMemory:
        """Allocate `size` bytes of device memory. The context must be current.

        Raises:
            OutOfMemoryError: Fewer bytes are free.
        """
        try:
            memory: DeviceMemory = self.cuda.mem_alloc(size)
        except self.cuda.MemoryError:
            raise OutOfMemoryError(mended(f"The GPU has no {size / 2**20:.0f} MiB free (out of memory).", self.number)) from None
        return memory


class Piece:
    """A piece of a `MemoryPool`, which gets it back when nothing refers to it any more."""

    def __init__(self, memory: DeviceMemory, free: deque[DeviceMemory]) -> None:
        self.address = int(memory)
        weakref.finalize(self, free.append, memory).atexit = False


class MemoryPool:
    """Pieces of device memory, of which there are as many as are in use at once.

    Used on one thread of the device, with its context current. A piece is referred to until the work that uses it is done, except
    for work in the stream that uses its memory next.
    """

    def __init__(self, device: Device, smallest: int) -> None:
        """`smallest`: bytes of the smallest piece; others have this size doubled some times."""
        self._device, self._smallest = device, smallest
        self._free: dict[int, deque[DeviceMemory]] = {}
        self._allocated: list[DeviceMemory] = []

    def take(self, size: int) -> Piece:
        """Take a piece of at least `size` bytes, whose content is undefined.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        doubled = self._smallest << max(0, -(-size // self._smallest) - 1).bit_length()
        free = self._free.setdefault(doubled, deque())
        if not free:
            self._allocated.append(self._device.allocate(doubled))
            return Piece(self._allocated[-1], free)
        return Piece(free.popleft(), free)

    def close(self) -> None:
        """Free all memory, that of pieces in use as well."""
        allocated, self._allocated = self._allocated, []
        for memory in allocated:
            memory.free()
        self._free.clear()


class Buffer:
    """Memory of the device that grows with what it has to hold. Used on the device's thread, with its context current."""

    def __init__(self, device: Device, stream: Stream) -> None:
        """`stream`: everything that uses the memory is put into it."""
        self._device, self._stream = device, stream
        self._memory: DeviceMemory | None = None
        self._size = 0

    @property
    def address(self) -> int:
        """Where it is; something has been reserved."""
        return address_of(self._memory)

    def reserve(self, size: int) -> None:
        """Make it hold at least `size` bytes; its content is lost where it grows.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        if size > self._size:
            # nothing in the stream may still use what is freed
            self._stream.synchronize()
            self.free()
            self._memory, self._size = self._device.allocate(size), size

    def reserved(self, size: int) -> int:
        """Make it hold at least `size` bytes; return where it is."""
        self.reserve(size)
        return self.address

    def free(self) -> None:
        """Free the memory."""
        if self._memory is not None:
            self._memory.free()
        self._memory, self._size = None, 0
