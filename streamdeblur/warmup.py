"""Compiles the pixel kernels before the first frame."""

from __future__ import annotations

import logging
import threading

import numba
import numpy as np

from streamdeblur.faces.flow import FaceFlow
from streamdeblur.faces.gain import described
from streamdeblur.faces.memory import RememberedCrop
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.interrupts import interrupts_held
from streamdeblur.kernels.tensors import quantise
from streamdeblur.video.planes import array_planes

SLOW_SECONDS = 2.5
"""Loading the kernels from the cache takes less than this."""


def compile_kernels(*, memory: bool = False) -> None:
    """Run every pixel kernel once on 8-bit frames: the first run on a machine compiles it, later ones load it from the cache.

    A compilation is logged. The kernels for deeper video are compiled with the first such frame.

    Args:
        memory: Those for networks with a memory as well.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        logging.getLogger(__name__).warning(
            "NUMBA_DISABLE_JIT is set: the pixel kernels run as plain Python, which takes seconds for a face. Unset it for speed."
        )
    message = "Preparing the pixel kernels for this CPU, which takes longest in the first run ..."
    timer = threading.Timer(SLOW_SECONDS, logging.getLogger(__name__).info, [message])
    timer.daemon = True
    timer.start()
    try:
        with interrupts_held():
            _run_all()
            if memory:
                _remember()
    finally:
        timer.cancel()


def _run_all() -> None:
    planes = array_planes(np.zeros((32, 32, 3), np.uint8))
    window = FaceWindow(16, 16, 128)
    cropped = crop(planes, window)
    paste(planes, [RestoredCrop(window, cropped, cropped)])
    flow, centre = FaceFlow(), np.array([16.0, 16.0])
    flow.keep(planes, centre, 16.0)
    flow.find(planes, centre)
    quantise(np.zeros((1, 3, CROP_SIZE, CROP_SIZE), np.float32), np.empty_like(cropped)[None], np.ones(1, np.bool_))
    described(cropped, window.side)


def _remember() -> None:
    first, second = (RememberedCrop.of(number, 1.0, np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)) for number in range(2))
    first.helps(second)
    first.repeats(second)
