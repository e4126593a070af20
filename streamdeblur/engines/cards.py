"""NVIDIA cards as the driver knows them, asked through its own libraries: no package has to be installed for that.

The numbers are those of CUDA, which ``CUDA_VISIBLE_DEVICES`` changes. Calls and codes are those of its driver API and of NVML.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from streamdeblur.errors import EngineError

CUDA_LIBRARIES = ("libcuda.so.1", "nvcuda.dll")
NVML_LIBRARIES = ("libnvidia-ml.so.1", "nvml.dll")
MAJOR, MINOR, COMPUTE_MODE = 75, 76, 20
"""Of CUdevice_attribute."""
EXCLUSIVE = 3
"""CU_COMPUTEMODE_EXCLUSIVE_PROCESS: one process at a time."""
OLDEST = (7, 5)
"""Compute capability of Turing, the oldest that the kernels and TensorRT support."""
MOST_PROCESSES = 64


class DriverError(EngineError):
    """The driver is missing, or answers with an error."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """Of the CUDA driver API (CUresult); None where there is no driver."""


@dataclass(frozen=True)
class Card:
    """One card."""

    number: int
    """As CUDA counts."""
    name: str
    capability: tuple[int, int]
    memory: int
    """Bytes."""
    cuda: tuple[int, int]
    """Version of CUDA that the driver supports."""
    driver: str = ""
    """Version of the driver; '' where NVML is missing."""
    free: int | None = None
    """Bytes that are free; None where NVML is missing."""
    processes: tuple[int, ...] = ()
    """Ids of the processes that compute on it, as far as the driver tells."""
    exclusive: bool = False
    """Whether it takes one process at a time."""

    @property
    def supported(self) -> bool:
        """Whether the kernels and TensorRT support it."""
        return self.capability >= OLDEST


def find_cards() -> list[Card]:
    """Return all cards.

    Raises:
        DriverError: There is no driver, or it answers with an error.
    """
    cuda = open_driver()
    if cuda is None:
        raise DriverError("There is no NVIDIA driver here (libcuda is missing).")
    _check(cuda, "cuInit", 0)
    version, count = ctypes.c_int(), ctypes.c_int()
    _check(cuda, "cuDriverGetVersion", ctypes.byref(version))
    _check(cuda, "cuDeviceGetCount", ctypes.byref(count))
    nvml, supported = _Nvml.opened(), _cuda_version(version.value)
    return [_card(cuda, nvml, number, supported) for number in range(count.value)]


def open_driver() -> ctypes.CDLL | None:
    """Open the library of the CUDA driver; None where there is none."""
    return _open(CUDA_LIBRARIES)


def driver_version() -> tuple[str, tuple[int, int] | None]:
    """Return the version of the driver, '' where it is not known, and the version of CUDA that it supports, None likewise."""
    cuda, nvml = open_driver(), _Nvml.opened()
    version = ctypes.c_int()
    # the only calls that a driver answers with which nothing else works
    known = cuda is not None and cuda.cuDriverGetVersion(ctypes.byref(version)) == 0
    return nvml.driver if nvml else "", _cuda_version(version.value) if known else None


def _cuda_version(number: int) -> tuple[int, int]:
    return number // 1000, number % 1000 // 10


def no_such_card(number: int, count: int) -> str:
    """Return the message for the number of a card that is not there, of `count` cards."""
    if not count:
        return "CUDA finds no GPU."
    known = "0" if count == 1 else f"0 to {count - 1}"
    return f"There is no card {number}: CUDA finds {known}. Give --device auto or cpu; 'streamdeblur doctor' lists the cards."


def _open(names: tuple[str, ...]) -> ctypes.CDLL | None:
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _check(cuda: ctypes.CDLL, name: str, *arguments: object) -> None:
    code = getattr(cuda, name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        known = cuda.cuGetErrorString(code, ctypes.byref(text)) == 0 and text.value
        described = text.value.decode(errors="replace") if known and text.value else "unknown error"
        raise DriverError(f"The NVIDIA driver answers {name} with error {code}: {described}.", int(code))


def _card(cuda: ctypes.CDLL, nvml: _Nvml | None, number: int, supported: tuple[int, int]) -> Card:
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    name, bus = ctypes.create_string_buffer(256), ctypes.create_string_buffer(64)
    _check(cuda, "cuDeviceGet", ctypes.byref(device), number)
    _check(cuda, "cuDeviceGetName", name, len(name), device)
    _check(cuda, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    _check(cuda, "cuDeviceGetPCIBusId", bus, len(bus), device)
    major, minor, mode = (_attribute(cuda, which, device) for which in (MAJOR, MINOR, COMPUTE_MODE))
    found = nvml.state(bus.value) if nvml else ("", None, ())
    title = name.value.decode(errors="replace")
    return Card(number, title, (major, minor), memory.value, supported, *found, exclusive=mode == EXCLUSIVE)


def _attribute(cuda: ctypes.CDLL, which: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    _check(cuda, "cuDeviceGetAttribute", ctypes.byref(value), which, device)
    return value.value


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Process(ctypes.Structure):
    """nvmlProcessInfo_t."""

    _fields_ = (
        ("pid", ctypes.c_uint), ("memory", ctypes.c_ulonglong), ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )  # fmt: skip


class _Nvml:
    """The management library, which knows what CUDA does not tell."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    @classmethod
    def opened(cls) -> _Nvml | None:
        """Open it; None where it is missing or fails, because nothing depends on it."""
        library = _open(NVML_LIBRARIES)
        return cls(library) if library is not None and library.nvmlInit_v2() == 0 else None

    @property
    def driver(self) -> str:
        """Version of the driver; '' where it does not say."""
        version = ctypes.create_string_buffer(96)
        failed = self._library.nvmlSystemGetDriverVersion(version, len(version))
        return "" if failed else version.value.decode(errors="replace")

    def state(self, bus: bytes) -> tuple[str, int | None, tuple[int, ...]]:
        """Return the version of the driver, and free bytes and processes of the card at a PCI address."""
        device = ctypes.c_void_p()
        if self._library.nvmlDeviceGetHandleByPciBusId_v2(bus, ctypes.byref(device)):
            return self.driver, None, ()
        memory = _Memory()
        free = None if self._library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) else int(memory.free)
        return self.driver, free, self._processes(device)

    def _processes(self, device: ctypes.c_void_p) -> tuple[int, ...]:
        """The processes that compute on a card; none where the driver is older than 510, which fills another structure."""
        running = getattr(self._library, "nvmlDeviceGetComputeRunningProcesses_v3", None)
        count, found = ctypes.c_uint(MOST_PROCESSES), (_Process * MOST_PROCESSES)()
        if running is None or running(device, ctypes.byref(count), found):
            return ()
        return tuple(int(one.pid) for one in found[: count.value])
