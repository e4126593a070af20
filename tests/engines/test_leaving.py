"""Programs that leave faces in flight and end, each a process of its own; and what is closed before a program ends."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, StreamItem
from streamdeblur.engines import engine_choices
from streamdeblur.engines.registry import CPU_ENGINES
from streamdeblur.errors import EngineError
from streamdeblur.plugins.stages import Deblur, Sequential
from support.models.convolution import write_convolution
from support.models.networks import SIZES

ENGINES = [choice.name for choice in engine_choices() if choice.available and choice.name in CPU_ENGINES]
BOX = [100.0, 60.0, 200.0, 180.0]

BEGINNING = """
import sys, threading, time
import numpy as np
from streamdeblur import FaceDeblurrer, StreamItem
from streamdeblur.frames import planes_of
from streamdeblur.plugins.stages import Deblur, Sequential

settings = {"engine": sys.argv[1], "always": True, "network": sys.argv[2]}
random = np.random.default_rng(0)

def items():
    while True:
        yield StreamItem(random.integers(0, 255, (240, 320, 3), np.uint8), np.array([[100, 60, 200, 180], [10, 60, 70, 120.0]]))

def leave(stream):
    for number, _ in enumerate(stream):
        if number:
            break
"""

ENDINGS = {
    "streams that are left, late faces, objects that nothing refers to": """
def work():
    deblurrer = FaceDeblurrer(throughput=True, **settings)
    deblurrer.itself = deblurrer
    leave(deblurrer.stream(items()))

work()
leave(Deblur(**settings)(items()))
stages = Sequential(Deblur(**settings), iter)
held = stages(items())
leave(held)
deblurrer = FaceDeblurrer(throughput=True, **settings)
leave(deblurrer.stream(items()))
item = next(items())
planes = planes_of(item.frame)
for _ in range(2):
    deblurrer._begin(planes, item.faces, deblurrer._settings()).faces.paste(planes, time.monotonic())
""",
    "a thread that goes on, and a source that ends the program": """
begun = threading.Event()

def work():
    try:
        for _ in FaceDeblurrer(throughput=True, **settings).stream(items()):
            begun.set()
    except Exception as error:
        assert str(error).endswith("The engine is closed."), error

def ending():
    frames = items()
    yield next(frames)
    yield next(frames)
    sys.exit(0)

threading.Thread(target=work, daemon=True).start()
begun.wait()
deblurrer = FaceDeblurrer(throughput=True, **settings)
list(deblurrer.stream(ending()))
""",
}


LEFT = [pytest.param(engine, sizes, marks=[pytest.mark.slow] if sizes else []) for engine in ENGINES for sizes in (None, SIZES)]
"""Engines, and the sizes of crops of the network besides 256 px."""


@pytest.mark.parametrize(("engine", "sizes"), LEFT)
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_program_that_leaves_faces_in_flight_ends_as_any_other(engine, sizes, ending, tmp_path):
    # it opens quickly, and is still at work when the program leaves its faces
    network = write_convolution(tmp_path / "wide.onnx", sizes=sizes, reach=10)
    command = [sys.executable, "-c", BEGINNING + ending, engine, str(network)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")


CLOSING = """
import os, sys
from streamdeblur.opening import close_at_exit

class Opened:
    def __init__(self, name):
        self.name = name
        close_at_exit(self)

    def close(self):
        print(self.name, flush=True)
        if self.name == "broken":
            raise RuntimeError("The device is lost.")

kept = [Opened(name) for name in ("first", "broken", "last")]
Opened("collected")
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        own = Opened("of the child")
        sys.exit(0)
    os.waitpid(child, 0)
print("end", flush=True)
"""


def test_what_is_open_is_closed_at_the_end_by_the_process_that_opened_it():
    done = subprocess.run([sys.executable, "-c", CLOSING], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    child, _, own = done.stdout.partition("end\n")
    assert child.split("\n")[:-1] == (["of the child"] if hasattr(os, "fork") else [])
    assert sorted(own.split()) == ["broken", "first", "last"]


def items(pictures):
    return (StreamItem(picture.copy(), [BOX]) for picture in pictures)


class Noted:
    """An engine that notes how many frames were submitted and what became of each."""

    def __init__(self, engine):
        self._engine = engine
        self.submitted, self.ends = 0, []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def submit(self, faces):
        self.submitted += 1
        return NotedFaces(self._engine.submit(faces), self.ends)


class NotedFaces:
    def __init__(self, pending, ends):
        self._pending, self._ends = pending, ends

    def paste(self, planes, deadline=None):
        self._ends.append("pasted")
        return self._pending.paste(planes, deadline)

    def discard(self):
        self._ends.append("discarded")
        self._pending.discard()


@pytest.fixture(params=ENGINES)
def noted(request, tmp_path):
    network = write_convolution(tmp_path / "wide.onnx", reach=10)
    with FaceDeblurrer(engine=request.param, network=network, always=True, throughput=True) as deblurrer:
        deblurrer.engine = Noted(deblurrer.engine)
        yield deblurrer


def test_the_faces_of_a_stream_that_is_left_are_given_up(noted, few_pictures):
    frames = noted.stream(items(few_pictures[:8]))
    next(frames)
    frames.close()
    assert noted.engine.ends.count("pasted") == 1
    assert noted.engine.ends.count("discarded") == noted.engine.submitted - 1 > 0
    # those that were given up hold up nothing
    crops = np.zeros((6, 256, 256, 3), np.uint8)
    assert noted.restore(crops).shape == crops.shape


def test_the_faces_of_a_stream_that_fails_are_given_up(noted, few_pictures):
    with pytest.raises(ValueError, match="got str"):
        list(noted.stream([*items(few_pictures[:3]), "title"]))
    assert noted.engine.ends == ["discarded"] * noted.engine.submitted


def test_a_stream_that_is_read_to_its_end_gives_nothing_up(noted, few_pictures):
    assert len(list(noted.stream(items(few_pictures[:8])))) == 8
    assert noted.engine.ends == ["pasted"] * 8


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_closed_says_so_and_may_be_closed_again(engine, few_pictures, tmp_path):
    network = write_convolution(tmp_path / "convolution.onnx")
    with Deblur(engine=engine, network=network) as stage, Sequential(stage, iter) as stages:
        assert len(list(stages(items(few_pictures[:2])))) == 2
    stage.close()
    deblurrer, picture = stage.deblurrer, few_pictures[0].copy()
    crops = np.zeros((1, 256, 256, 3), np.uint8)
    for use in (
        lambda: list(stage([picture])),
        lambda: list(deblurrer.stream([picture])),
        lambda: deblurrer(picture),
        lambda: deblurrer.restore(crops),
    ):
        with pytest.raises(EngineError, match="This deblurrer is closed"):
            use()
    with pytest.raises(EngineError, match=r"The engine is closed\."):
        deblurrer.engine.infer(crops)
