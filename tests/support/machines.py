"""Machines with a stand-in for an NVIDIA GPU, on which the code for TensorRT runs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from streamdeblur.engines.tensorrt.log import log_class
from support.fakes.cuda import Machine, make_driver
from support.fakes.tensorrt import make_tensorrt

NAMES = ("pycuda", "pycuda.driver", "tensorrt")


@contextmanager
def installed(machine=None):
    """`pycuda` and `tensorrt` are those of a machine; afterwards no rule of theirs was broken."""
    machine = machine or Machine()
    pycuda = ModuleType("pycuda")
    pycuda.driver = make_driver(machine)
    stood_in = dict(zip(NAMES, (pycuda, pycuda.driver, make_tensorrt(machine)), strict=True))
    before = {name: sys.modules.get(name) for name in NAMES}
    for name, module in stood_in.items():
        module.__spec__ = ModuleSpec(name, None)
        sys.modules[name] = module
    log_class.cache_clear()
    try:
        yield machine
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
        log_class.cache_clear()
    assert machine.breaches == []
