"""First use from several threads at once, and use in processes that were forked after the first use; each with a time limit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.models.networks import SIZES, write_network

THREADS = """
import sys, threading, traceback
import numpy as np
from streamdeblur import FaceDeblurrer

def work(engine):
    with FaceDeblurrer(engine=engine, network=sys.argv[1]) as deblurrer:
        deblurrer(np.zeros((64, 64, 3), np.uint8))
        print(engine, deblurrer.restore(np.zeros((1, 256, 256, 3), np.uint8)).min(), flush=True)

for engine in sys.argv[2:]:
    threads = [threading.Thread(target=work, args=[engine]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

FORKS = """
import multiprocessing, os, sys, threading
from pathlib import Path
import numpy as np
from streamdeblur import FaceDeblurrer, opening
from streamdeblur.engines import open_engine
from streamdeblur.errors import EngineError
from streamdeblur.network import Network

crops, frame = np.zeros((2, 256, 256, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
deblurrer = FaceDeblurrer(engine=sys.argv[2], network=sys.argv[1])
print(deblurrer.restore(crops).min(), deblurrer(frame).max(), flush=True)

def use():
    with FaceDeblurrer(engine=sys.argv[2], network=sys.argv[1]) as another:
        another(frame)

users = [threading.Thread(target=use) for _ in range(3)]
for user in users:
    user.start()
for user in users:
    user.join()
pending, restored = deblurrer.engine._submit(list(crops), ()), np.empty_like(crops)

def work(number):
    print(deblurrer.restore(crops).min(), deblurrer(frame).max(), flush=True)
    with FaceDeblurrer(engine=sys.argv[2], network=sys.argv[1]) as another:
        print(another.restore(crops).min(), flush=True)
    try:
        pending.write(list(restored))
    except EngineError as error:
        print(str(error).split(";")[0], flush=True)
    deblurrer.close()

def hold():
    with opening.one_at_a_time():
        held.set()
        done.wait()

held, done = threading.Event(), threading.Event()
threading.Thread(target=hold, daemon=True).start()
held.wait()
process = multiprocessing.get_context("fork").Process(target=work, args=[1])
process.start()
process.join()
child = os.fork()
if child == 0:
    print(deblurrer.restore(crops).min(), flush=True)
    sys.exit(3)
print(process.exitcode, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
done.set()
pending.write(list(restored))
print(deblurrer.restore(crops).min(), restored.min(), flush=True)
"""


def _run(tmp_path, script, *engines, sizes="{}"):
    path = tmp_path / "script.py"
    path.write_text(script)
    network = write_network(tmp_path / "invert.onnx", "invert", metadata={"sizes": sizes})
    command = [sys.executable, str(path), str(network), *engines]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_first_use_may_be_that_of_several_threads(tmp_path):
    """Of each engine; the kernels are compiled or loaded by the first one."""
    engines = ("openvino", "onnxruntime")
    assert _run(tmp_path, THREADS, *engines) == [f"{engine} 255" for engine in engines for _ in range(4)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize(
    ("engine", "sizes"),
    [("openvino", "{}"), ("onnxruntime", "{}"), pytest.param("openvino", SIZES, marks=pytest.mark.slow)],
)
def test_a_forked_process_opens_the_engine_again(tmp_path, engine, sizes):
    """It does so after several threads of the process before have used it, and while another is opening one."""
    forked = "This process was forked while faces were being restored"
    assert _run(tmp_path, FORKS, engine, sizes=sizes) == ["255 0", "255 0", "255", forked, "255", "0 3", "255 255"]


COPYING = """
import gc, os, sys
import av
from streamdeblur.video import copying

copying.copy_frame(av.VideoFrame(64, 64, "yuv420p"))
child = os.fork()
if child == 0:
    # as at the end of a process: what it inherited is freed
    del copying._references
    gc.collect()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_frees_what_copies_of_frames_were_made_with():
    assert subprocess.run([sys.executable, "-c", COPYING], timeout=60, check=False).returncode == 0
