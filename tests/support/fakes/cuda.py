"""A stand-in for pycuda.driver that keeps what it is told to do, checks the rules of CUDA, and computes on the CPU.

Work in a stream is done when something waits for it and not before, so that whoever reads too early, or frees what is still used,
is found out. Every breach is an error where it happens and stays in `Machine.breaches`.
"""

from __future__ import annotations

import threading
from types import ModuleType

import numpy as np

from support.fakes.cuda_on_host import EmulatedModule


class BreachError(AssertionError):
    """A rule of CUDA or TensorRT was broken."""


class Error(Exception):
    """As pycuda.driver.Error."""


class MemoryError(Error):
    """As pycuda.driver.MemoryError."""


class Machine:
    """One computer with one GPU."""

    def __init__(self, tensorrt="10.7.0", gpu="Stand-in 4060", driver=12080, memory=4 << 30, pinned=1 << 30):
        self.tensorrt, self.gpu, self.driver = tensorrt, gpu, driver
        self.memory, self.pinned = memory, pinned
        self.used = 0
        self.pinned_used = 0
        self.breaches = []
        self.events = []
        self.builds = 0
        self.fail_launches = False
        self.hold_builds = None
        self.current = threading.local()
        self.allocations = {}
        self.blocks = {}
        self.streams = {}

    def breach(self, what):
        self.breaches.append(what)
        raise BreachError(what)

    def need_context(self, what):
        if not getattr(self.current, "stack", []):
            self.breach(f"{what} without a current context on thread {threading.current_thread().name}")

    def device(self, address, size):
        """Device memory as bytes; a breach where it is not allocated."""
        for begin, allocation in self.allocations.items():
            if begin <= address and address + size <= begin + allocation.memory.size:
                return allocation.memory[address - begin : address - begin + size]
        return self.breach(f"{size} bytes of device memory at {address:#x} are not allocated")

    def check_pinned(self, array):
        address = array.__array_interface__["data"][0]
        if not any(begin <= address and address + array.nbytes <= begin + size for begin, size in self.blocks.items()):
            self.breach("an asynchronous copy of memory that is not page-locked")

    def reserve(self, size):
        if self.used + size > self.memory:
            return False
        self.used += size
        return True


def make_driver(machine):
    """The module pycuda.driver of a machine."""
    driver = ModuleType("pycuda.driver")
    driver.Error, driver.MemoryError = Error, MemoryError

    class Context:
        def push(self):
            stack = machine.current.__dict__.setdefault("stack", [])
            stack.append(self)

        @staticmethod
        def pop():
            machine.need_context("Context.pop")
            machine.current.stack.pop()

    primary = Context()

    class Device:
        def __init__(self, number):
            if number:
                raise Error("invalid device ordinal")

        @staticmethod
        def count():
            return 1 if machine.gpu else 0

        def name(self):
            return machine.gpu

        def compute_capability(self):
            return (8, 9)

        def retain_primary_context(self):
            return primary

        def make_context(self, flags=0):
            machine.breach("a context of its own instead of the primary one")

    class DeviceAllocation:
        def __init__(self, size):
            self.memory = np.full(size, 0xAB, np.uint8)
            machine.allocations[int(self)] = self

        def __int__(self):
            return self.memory.__array_interface__["data"][0]

        def free(self):
            machine.need_context("DeviceAllocation.free")
            if machine.allocations.pop(int(self), None) is None:
                machine.breach("device memory was freed twice")
            machine.used -= self.memory.size
            machine.events.append("free")

    class HostAllocation:
        def __init__(self, size):
            self.memory = np.full(size, 0xCD, np.uint8)
            self.__array_interface__ = self.memory.__array_interface__
            machine.blocks[self.__array_interface__["data"][0]] = size
            machine.pinned_used += size

        def free(self):
            machine.need_context("HostAllocation.free")
            if machine.blocks.pop(self.__array_interface__["data"][0], None) is None:
                machine.breach("page-locked memory was freed twice")
            machine.pinned_used -= self.memory.size
            machine.events.append("free page-locked")

    class Stream:
        def __init__(self):
            machine.need_context("Stream")
            self.handle = id(self)
            self.work = []
            machine.streams[self.handle] = self

        def synchronize(self):
            machine.need_context("Stream.synchronize")
            self.run(len(self.work))

        def run(self, count):
            for _ in range(count):
                if machine.fail_launches:
                    self.work.clear()
                    raise Error("cuEventSynchronize failed: unspecified launch failure")
                self.work.pop(0)()

    class event_flags:  # noqa: N801 (its name in pycuda)
        BLOCKING_SYNC = 1
        DISABLE_TIMING = 2

    class Event:
        def __init__(self, flags=0):
            machine.need_context("Event")

        def record(self, stream):
            machine.need_context("Event.record")
            self.stream = stream
            self.reached = False

            def reach():
                self.reached = True

            stream.work.append(reach)

        def synchronize(self):
            machine.need_context("Event.synchronize")
            while not self.reached:
                self.stream.run(1)

    class Function:
        def __init__(self, module, name):
            self.module, self.name, self.types = module, name, None

        def prepare(self, types):
            self.types = types
            return self

        def prepared_async_call(self, grid, block, stream, *arguments):
            machine.need_context("a kernel's launch")
            if self.types != "P" * len(arguments):
                machine.breach(f"{self.name} was prepared for {self.types}, and called with {len(arguments)} arguments")
            machine.events.append(self.name)

            def run():
                for address in arguments:
                    machine.device(int(address), 1)
                self.module.emulated.launch(self.name, grid, block, [int(address) for address in arguments])

            stream.work.append(run)

    class Module:
        emulated = EmulatedModule()

        def get_function(self, name):
            return Function(self, name)

    def mem_alloc(size):
        machine.need_context("mem_alloc")
        if not machine.reserve(size):
            raise MemoryError("cuMemAlloc failed: out of memory")
        return DeviceAllocation(size)

    def pagelocked_empty(shape, dtype, order="C", mem_flags=0):
        machine.need_context("pagelocked_empty")
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if machine.pinned_used + size > machine.pinned:
            raise MemoryError("cuMemHostAlloc failed: out of memory")
        return np.asarray(HostAllocation(size))

    def memcpy_htod_async(dest, src, stream=None):
        machine.need_context("memcpy_htod_async")
        machine.check_pinned(src)

        def copy():
            machine.check_pinned(src)
            machine.device(int(dest), src.nbytes)[:] = src.reshape(-1).view(np.uint8)

        stream.work.append(copy)

    def memcpy_dtoh_async(dest, src, stream=None):
        machine.need_context("memcpy_dtoh_async")
        machine.check_pinned(dest)

        def copy():
            machine.check_pinned(dest)
            dest.reshape(-1).view(np.uint8)[:] = machine.device(int(src), dest.nbytes)

        stream.work.append(copy)

    def module_from_buffer(buffer, options=(), message_handler=None):
        machine.need_context("module_from_buffer")
        if b".entry crop_faces_8" not in bytes(buffer):
            raise Error("cuModuleLoadDataEx failed: a PTX JIT compilation failed")
        return Module()

    driver.init = lambda: None
    driver.get_driver_version = lambda: machine.driver
    classes = (Context, Device, Stream, Event, event_flags)
    for thing in (*classes, mem_alloc, pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async, module_from_buffer):
        setattr(driver, thing.__name__, thing)
    return driver
