"""Read-only folders, no home folder, forked processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import streamdeblur
from streamdeblur import kernels
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.window import paste_component
from streamdeblur.video.planes import array_planes
from streamdeblur.warmup import compile_kernels
from support.models.networks import write_network

CODE = """
import numpy as np
import streamdeblur
from streamdeblur import FaceDeblurrer
assert streamdeblur.__file__.startswith({place!r}), streamdeblur.__file__
picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
with FaceDeblurrer() as deblurrer:
    out = deblurrer(picture, faces=[[60, 60, 140, 140]])
assert out.shape == picture.shape
print("done")
"""

KERNEL = """
import numpy as np
from streamdeblur.kernels import tensors
assert tensors.__file__.startswith({place!r}), tensors.__file__
images, out, finite = np.ones((1, 3, 4, 4), np.float32), np.empty((1, 4, 4, 3), np.uint8), np.empty(1, np.bool_)
tensors.quantise(images, out, finite)
assert (out == 255).all() and finite.all()
print("done")
"""

FORKING = """
import multiprocessing
import sys
import numpy as np
from streamdeblur import FaceDeblurrer
from streamdeblur.warmup import compile_kernels

def work(seed):
    picture = np.random.default_rng(seed).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    with FaceDeblurrer(network=sys.argv[1]) as deblurrer:
        return int(deblurrer(picture, faces=[[60, 60, 140, 140]]).sum())

if __name__ == "__main__":
    compile_kernels()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        first = pool.map(work, [0, 1, 0, 1])
    assert first[0] == first[2] and first[1] == first[3] and first[0] != first[1], first
    print("done")
"""


def run(code, environment, folder):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False, timeout=200)


@pytest.mark.slow
def test_a_read_only_installation_without_a_home(tmp_path):
    """Files stand where the caches would be made, which refuses even root."""
    place = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(streamdeblur.__file__).parent, place / "streamdeblur", ignore=ignored)
    # where the installation is an editable one, the kernels lie elsewhere
    shutil.copytree(Path(kernels.__file__).parent, place / "streamdeblur" / "kernels", ignore=ignored, dirs_exist_ok=True)
    shutil.rmtree(place / "streamdeblur" / "kernels" / "__pycache__", ignore_errors=True)
    (place / "streamdeblur" / "kernels" / "__pycache__").write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    environment |= {
        "PYTHONPATH": str(place),
        "HOME": "/dev/null",
        "STREAMDEBLUR_CACHE": "/dev/null",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = run(CODE.format(place=str(place)), environment, tmp_path)
    assert done.stdout == "done\n", done.stderr
    assert (place / "streamdeblur" / "kernels" / "__pycache__").is_file()


@pytest.mark.parametrize("damage", ["cut off", "no room"])
def test_a_damaged_or_unwritable_kernel_cache_is_done_without(tmp_path, damage):
    place = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(streamdeblur.__file__).parent, place / "streamdeblur", ignore=ignored)
    keep = ignored if damage == "no room" else None
    shutil.copytree(Path(kernels.__file__).parent, place / "streamdeblur" / "kernels", ignore=keep, dirs_exist_ok=True)
    environment = dict(os.environ) | {"PYTHONPATH": str(place)}
    code = KERNEL.format(place=str(place))
    if damage == "no room":
        limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        code = limit + "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n" + code
    else:
        # the tests before this one have compiled the kernels
        compiled = list((place / "streamdeblur" / "kernels" / "__pycache__").glob("*.nbc"))
        assert compiled
        for file in compiled:
            file.write_bytes(file.read_bytes()[:500])
    done = run(code, environment, tmp_path)
    assert done.stdout == "done\n", done.stderr


def test_forked_workers(tmp_path):
    script = tmp_path / "forking.py"
    script.write_text(FORKING)
    network = write_network(tmp_path / "invert.onnx", "invert")
    command = [sys.executable, str(script), str(network)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.stdout == "done\n", done.stderr


def test_windows_that_overlap_need_no_kernel_that_was_not_compiled_ahead():
    compile_kernels()
    compiled = list(paste_component.loop.signatures)
    planes = array_planes(np.zeros((200, 200, 3), np.uint8))
    windows = [FaceWindow(x, 100, 90) for x in (60, 90, 120)]
    paste(planes, [RestoredCrop(window, (cropped := crop(planes, window)), cropped) for window in windows])
    assert paste_component.loop.signatures == compiled


INTERRUPTED = """
import signal, time
from streamdeblur import warmup

warmup._run_all = lambda: signal.raise_signal(signal.SIGINT) or time.sleep(0.1) or print("compiled", flush=True)
try:
    warmup.compile_kernels()
except KeyboardInterrupt:
    print("interrupted")
"""


INTERRUPTED_LATER = """
import signal
import numpy as np
from numba.core import event
from streamdeblur.kernels.jit import kernel

class Impatient(event.Listener):
    def on_start(self, event):
        signal.raise_signal(signal.SIGINT)
    def on_end(self, event):
        pass

@kernel
def total(values):
    result = 0.0
    for value in values:
        result += half(value)
    return result

@kernel
def half(value):
    return value / 2

event.register("numba:compile", Impatient())
try:
    total(np.ones(3))
except KeyboardInterrupt:
    print("interrupted", len(total.overloads), len(half.overloads))
print(total(np.ones(3)))
"""


@pytest.mark.parametrize(
    ("code", "told"), [(INTERRUPTED, "compiled\ninterrupted\n"), (INTERRUPTED_LATER, "interrupted 1 1\n1.5\n")]
)
def test_an_interrupt_while_kernels_are_compiled_is_not_lost(tmp_path, code, told):
    """The compiler's callbacks would swallow the exception."""
    (tmp_path / "interrupted.py").write_text(code)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(tmp_path / "interrupted.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (told, "")
