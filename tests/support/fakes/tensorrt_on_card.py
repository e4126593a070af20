"""The fake TensorRT on a real device: networks are computed by ONNX Runtime on the CPU, their images lie where pycuda put them.

So that the device's thread, the frames and the sessions run on a real GPU where TensorRT itself is not to be had.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from unittest import mock

import numpy as np

from streamdeblur.engines.tensorrt import graphs
from streamdeblur.engines.tensorrt.log import log_class
from support.fakes import tensorrt


class Card:
    """What the fake asks a machine for, with the memory and the streams of pycuda."""

    tensorrt = "10.7.0"
    gpu = "a real one"
    hold_builds = None

    def __init__(self, cuda, aligned):
        self._cuda, self._aligned = cuda, aligned
        self.memory, self.used, self.builds = 1 << 62, 0, 0
        self.breaches, self.events = [], []
        self.streams = _Streams(self)
        self._copies = []

    def breach(self, rule):
        self.breaches.append(rule)
        raise AssertionError(rule)

    def need_context(self, call):
        pass

    def need_alignment(self, address):
        if self._aligned and address % 256:
            self.breach("a tensor at an address that is no multiple of 256 bytes")

    def reserve(self, size):
        return True

    def released(self, name):
        self.events.append(f"release {name}")

    def device_memory(self, address, size):
        """A copy of memory of the device, which goes back there after the work that asks for it."""
        block = self._cuda.pagelocked_empty(size, np.uint8)
        stream = self._cuda.Stream()
        self._cuda.memcpy_dtoh_async(block, address, stream)
        stream.synchronize()
        self._copies.append((address, block))
        return block

    def do(self, work):
        """Do a piece of work now, when all work before it is done."""
        self._cuda.Context.synchronize()
        self._copies.clear()
        work()
        stream = self._cuda.Stream()
        for address, block in self._copies:
            self._cuda.memcpy_htod_async(address, block, stream)
        stream.synchronize()


class _Streams:
    """Streams by their handle: whatever is put into one is done at once."""

    def __init__(self, card):
        self.work = self
        self.append = card.do

    def __getitem__(self, handle):
        return self


@contextmanager
def tensorrt_on_card(cuda, *, aligned=True):
    """Within it, `tensorrt` is the fake, on the device of `cuda`, the module pycuda.driver.

    aligned: whether its memory begins at multiples of 256 bytes, as that of a real device does.
    """
    card = Card(cuda, aligned)
    before = {name: getattr(tensorrt, name) for name in ("machine_for", "the_machine")}
    module = sys.modules.get("tensorrt")
    tensorrt.machine_for = tensorrt.the_machine = lambda *_: card
    sys.modules["tensorrt"] = tensorrt
    log_class.cache_clear()
    try:
        # what the CPU computes cannot be captured
        with mock.patch.object(graphs, "open_driver", return_value=None):
            yield card
    finally:
        for name, function in before.items():
            setattr(tensorrt, name, function)
        sys.modules.pop("tensorrt")
        if module is not None:
            sys.modules["tensorrt"] = module
        log_class.cache_clear()
    assert card.breaches == []
