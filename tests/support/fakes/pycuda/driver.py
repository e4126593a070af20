"""A fake of pycuda.driver that enforces the rules of CUDA, and computes on the CPU.

The work in a stream is done when something waits for it and not before, so that code that reads too early, or frees memory that
is still in use, fails. The names are those of pycuda.
"""

from __future__ import annotations

import numpy as np

from support.fakes.cuda_on_host import EmulatedModule
from support.fakes.machine import context_stack, machine_for, the_machine


class Error(Exception):
    """As pycuda.driver.Error."""


class MemoryError(Error):
    """As pycuda.driver.MemoryError."""


def init():
    pass


def get_driver_version():
    return the_machine().driver


class Context:
    """The primary context of a machine."""

    def __init__(self, machine):
        self.machine = machine

    def push(self):
        context_stack().append(self)

    @staticmethod
    def pop():
        machine_for("Context.pop")
        context_stack().pop()

    @staticmethod
    def synchronize():
        for stream in list(machine_for("Context.synchronize").streams.values()):
            stream.synchronize()


class Device:
    def __init__(self, number):
        if number >= the_machine().cards:
            raise Error("cuDeviceGet failed: invalid device ordinal")
        self._machine = the_machine()

    @staticmethod
    def count():
        return the_machine().cards if the_machine().gpu else 0

    def name(self):
        return self._machine.gpu

    def compute_capability(self):
        return self._machine.capability

    def retain_primary_context(self):
        if self._machine.refuses:
            raise Error(f"cuDevicePrimaryCtxRetain failed: {self._machine.refuses}")
        return Context(self._machine)

    def make_context(self, flags=0):
        self._machine.breach("a context of its own instead of the primary one")


class DeviceAllocation:
    """Device memory, full of bytes that mean nothing."""

    def __init__(self, machine, size):
        self._machine = machine
        self.memory = np.full(size, 0xAB, np.uint8)
        machine.allocations[int(self)] = self

    def __int__(self):
        return self.memory.__array_interface__["data"][0]

    def free(self):
        machine = self._machine
        machine.need_context("DeviceAllocation.free")
        if machine.allocations.pop(int(self), None) is None:
            machine.breach("device memory was freed twice")
        machine.used -= self.memory.size
        machine.events.append("free")


class HostAllocation:
    """Page-locked memory, full of bytes that mean nothing: the base of the array that pagelocked_empty returns."""

    def __init__(self, machine, size):
        self._machine = machine
        self.memory = np.full(size, 0xCD, np.uint8)
        self.__array_interface__ = self.memory.__array_interface__
        machine.blocks[self._address] = size
        machine.pinned_used += size

    @property
    def _address(self):
        return self.__array_interface__["data"][0]

    def free(self):
        machine = self._machine
        machine.need_context("HostAllocation.free")
        if machine.blocks.pop(self._address, None) is None:
            machine.breach("page-locked memory was freed twice")
        machine.pinned_used -= self.memory.size
        machine.events.append("free page-locked")


class Stream:
    """Work in order, done when something waits for it."""

    def __init__(self):
        self._machine = machine_for("Stream")
        self.handle = id(self)
        self.work = []
        self._machine.streams[self.handle] = self

    def synchronize(self):
        self._machine.need_context("Stream.synchronize")
        if self._machine.capturing is not None:
            self._machine.breach("a wait for a stream that is being captured")
        self.run(len(self.work))

    def run(self, count):
        """Do the next `count` pieces of work."""
        for _ in range(count):
            if self._machine.fail_launches:
                self.work.clear()
                raise Error("cuEventSynchronize failed: unspecified launch failure")
            self.work.pop(0)()


class event_flags:  # noqa: N801 (its name in pycuda)
    BLOCKING_SYNC = 1
    DISABLE_TIMING = 2


class Event:
    """A point in a stream's work."""

    def __init__(self, flags=0):
        self._machine = machine_for("Event")

    def record(self, stream):
        self._machine.need_context("Event.record")
        self._stream, self._reached = stream, False
        stream.work.append(self._reach)

    def _reach(self):
        self._reached = True

    def synchronize(self):
        self._machine.need_context("Event.synchronize")
        while not self._reached:
            self._stream.run(1)


class Module:
    """The kernels, compiled for the CPU."""

    emulated = EmulatedModule()

    def get_function(self, name):
        return Function(self, name)


class Function:
    """A kernel, which takes addresses only."""

    def __init__(self, module, name):
        self._module, self._name, self._types = module, name, None

    def prepare(self, types):
        self._types = types
        return self

    def prepared_async_call(self, grid, block, stream, *arguments):
        machine = machine_for("a kernel's launch")
        if self._types != "P" * len(arguments):
            machine.breach(f"{self._name} was prepared for {self._types}, and called with {len(arguments)} arguments")
        machine.events.append(self._name)
        addresses = [int(argument) for argument in arguments]

        def run():
            for address in addresses:
                machine.device_memory(address, 1)
            self._module.emulated.launch(self._name, grid, block, addresses)

        stream.work.append(run)


def mem_alloc(size):
    machine = machine_for("mem_alloc")
    if not machine.reserve(size):
        raise MemoryError("cuMemAlloc failed: out of memory")
    return DeviceAllocation(machine, size)


def pagelocked_empty(shape, dtype, order="C", mem_flags=0):
    machine = machine_for("pagelocked_empty")
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if machine.pinned_used + size > machine.pinned:
        raise MemoryError("cuMemHostAlloc failed: out of memory")
    return np.asarray(HostAllocation(machine, size))


def memcpy_htod_async(dest, src, stream=None):
    machine = machine_for("memcpy_htod_async")
    machine.need_pinned(src)

    def copy():
        machine.need_pinned(src)
        machine.uploaded += src.nbytes
        machine.device_memory(int(dest), src.nbytes)[:] = src.reshape(-1).view(np.uint8)

    stream.work.append(copy)


def memcpy_dtoh_async(dest, src, stream=None):
    machine = machine_for("memcpy_dtoh_async")
    machine.need_pinned(dest)

    def copy():
        machine.need_pinned(dest)
        machine.downloaded += dest.nbytes
        dest.reshape(-1).view(np.uint8)[:] = machine.device_memory(int(src), dest.nbytes)

    stream.work.append(copy)


def memcpy_dtod_async(dest, src, size, stream=None):
    machine = machine_for("memcpy_dtod_async")

    def copy():
        machine.device_memory(int(dest), size)[:] = machine.device_memory(int(src), size)

    stream.work.append(copy)


def module_from_buffer(buffer, options=(), message_handler=None):
    machine_for("module_from_buffer")
    if b".entry crop_faces_8" not in bytes(buffer):
        raise Error("cuModuleLoadDataEx failed: a PTX JIT compilation failed")
    return Module()
