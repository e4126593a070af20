"""The state behind the fakes of pycuda and tensorrt: one computer with one GPU, and the rules that every call must keep."""

from __future__ import annotations

import threading
from contextlib import contextmanager

GIBIBYTE = 1 << 30
ALIGNMENT = 256
"""Bytes; device memory is allocated at multiples of it."""

_installed: Machine | None = None
_thread = threading.local()


class BreachError(AssertionError):
    """A rule of CUDA or TensorRT was broken."""


class Machine:
    """One computer with one GPU.

    A breach of a rule is an error where it happens, and stays in `breaches`, because the code under test may catch the error.
    `events` lists the calls that tests ask about, in order.
    """

    def __init__(self, tensorrt="10.7.0", gpu="Fake 4060", driver=12080, memory=4 * GIBIBYTE, pinned=GIBIBYTE):
        self.tensorrt, self.gpu, self.driver = tensorrt, gpu, driver
        self.cards, self.capability = 1, (8, 9)
        self.refuses = ""
        """The driver's words for why no context can be had, if none can."""
        self.memory, self.used = memory, 0
        self.pinned, self.pinned_used = pinned, 0
        self.allocations = {}
        self.blocks = {}
        self.streams = {}
        self.breaches = []
        self.uploaded, self.downloaded = 0, 0
        """Bytes that went to the device, and back."""
        self.events = []
        self.builds = 0
        self.hold_builds = None
        """An Event that every build waits for, where a test sets one."""
        self.capturing = None
        """Stream, place in it and execution contexts of the capture of a graph, if there is one."""
        self.refuse_capture = 0
        """Code with which captures are refused."""
        self.not_captured = False
        """Whether executions are refused while a stream is captured."""
        self.fail_launches = False
        """Whether the device fails at whatever it is asked to do."""

    @contextmanager
    def installed(self):
        """Within it, calls that need no context are about this machine."""
        global _installed
        before, _installed = _installed, self
        try:
            yield
        finally:
            _installed = before
        # a context that is left behind would hide breaches of whatever runs on this thread later
        assert not context_stack(), "a context is still current"

    def breach(self, rule):
        self.breaches.append(rule)
        raise BreachError(rule)

    def has_context(self):
        """Whether this machine's context is the current one on this thread."""
        stack = context_stack()
        return bool(stack) and stack[-1].machine is self

    def need_context(self, call):
        if not self.has_context():
            self.breach(f"{call} without a current context on thread {threading.current_thread().name}")

    def reserve(self, size):
        """Take device memory; False where too little is free."""
        if self.used + size > self.memory:
            return False
        self.used += size
        return True

    def device_memory(self, address, size):
        """Device memory as bytes; a breach where it is not allocated."""
        # threads of the device allocate while others run kernels
        for begin, allocation in list(self.allocations.items()):
            if begin <= address and address + size <= begin + allocation.memory.size:
                return allocation.memory[address - begin : address - begin + size]
        return self.breach(f"{size} bytes of device memory at {address:#x} are not allocated")

    def need_alignment(self, address):
        """A breach where an address is not aligned as that of a tensor must be, from the beginning of its allocation."""
        begin = max((begin for begin in list(self.allocations) if begin <= address), default=address)
        if (address - begin) % ALIGNMENT:
            self.breach(f"a tensor at an address that is no multiple of {ALIGNMENT} bytes")

    def need_pinned(self, array):
        """A breach where an array of the host is not page-locked, or not any more."""
        address = array.__array_interface__["data"][0]
        if not any(begin <= address and address + array.nbytes <= begin + size for begin, size in list(self.blocks.items())):
            self.breach("an asynchronous copy of memory that is not page-locked")

    def released(self, name):
        """Note that the destructor of a TensorRT object ran; it cannot raise, so a breach is only noted, too."""
        if not self.has_context():
            self.breaches.append(f"{name} released without a current context")
        self.events.append(f"release {name}")


def the_machine():
    """The machine whose context is current on this thread, else the one that is installed."""
    stack = context_stack()
    machine = stack[-1].machine if stack else _installed
    assert machine is not None, "no fake machine is installed"
    return machine


def machine_for(call):
    """The machine whose context is current on this thread; a breach where there is none."""
    machine = the_machine()
    machine.need_context(call)
    return machine


def context_stack():
    """The contexts of this thread; the last one is current."""
    return _thread.__dict__.setdefault("stack", [])
