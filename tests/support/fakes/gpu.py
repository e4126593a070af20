"""Runs the code for TensorRT on a fake GPU."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from unittest import mock

from streamdeblur.engines.tensorrt import graphs
from streamdeblur.engines.tensorrt.log import log_class
from support.fakes import pycuda, tensorrt, tensorrt_rtx
from support.fakes.graphs import Driver
from support.fakes.machine import Machine
from support.fakes.pycuda import driver

FAKES = {"pycuda": pycuda, "pycuda.driver": driver, "tensorrt": tensorrt}


@contextmanager
def fake_gpu(machine=None, *, rtx=False):
    """Within it, `pycuda` and `tensorrt` are the fakes, on `machine`; at the end, no rule of theirs must have been broken.

    rtx: whether `tensorrt_rtx` is there in place of `tensorrt`.
    """
    machine = machine or Machine()
    fakes = {**FAKES, "tensorrt_rtx": tensorrt_rtx}
    fakes.pop("tensorrt" if rtx else "tensorrt_rtx")
    real = {name: sys.modules.get(name) for name in fakes}
    sys.modules.update(fakes)
    log_class.cache_clear()
    try:
        with machine.installed(), mock.patch.object(graphs, "open_driver", Driver):
            yield machine
    finally:
        for name, module in real.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
        log_class.cache_clear()
    assert machine.breaches == []
