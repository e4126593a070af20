"""Kernels without the compiler: NUMBA_DISABLE_JIT, which debuggers and measurements of coverage set."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import hashlib
import numpy as np
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.tensors import quantise
from streamdeblur.video.planes import array_planes
from streamdeblur import warmup

warmup._run_all = lambda: None
warmup.compile_kernels()
picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
planes, window = array_planes(picture), FaceWindow(20, 20, 30)
cropped = crop(planes, window)
paste(planes, [RestoredCrop(window, cropped, 255 - cropped)])
images = np.linspace(-1, 2, 192, dtype=np.float32).reshape(1, 3, 8, 8)
out, finite = np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1, bool)
quantise(images, out, finite)
try:
    quantise(images, out[:, :4], finite)
except ValueError:
    print("refused", int(picture.sum()), int(cropped.sum()), int(out.sum()), finite.all())
"""


def _run(**variables):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], env=os.environ | variables, capture_output=True, text=True, check=False,
        timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def test_uncompiled_kernels_do_the_same_slowly_and_say_so():
    compiled, silence = _run()
    plain, warning = _run(NUMBA_DISABLE_JIT="1")
    assert silence == ""
    assert warning.startswith("NUMBA_DISABLE_JIT is set")
    assert (plain[0], plain[3:]) == (compiled[0], compiled[3:])
    # fused multiplications round a sample in thousands differently
    for got, expected in zip(map(int, plain[1:3]), map(int, compiled[1:3]), strict=True):
        assert abs(got - expected) < 200
