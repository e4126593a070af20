"""Shared pictures, clips and one deblurrer for all tests."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# several processes test at once, and threads of OpenMP and OpenBLAS would take the cores from one another while they wait
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# processes that the tests start import the package that the tests import, not one in their folder, and the modules of the tests
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
# speeds that were measured here, and those that are measured beside other tests, say nothing of one another
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["STREAMDEBLUR_CACHE"] = tempfile.mkdtemp(prefix="streamdeblur-tests-")
    atexit.register(shutil.rmtree, os.environ["STREAMDEBLUR_CACHE"], ignore_errors=True)

import cv2
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.cores import usable_cores
from streamdeblur.demo.camera import HandheldCamera
from streamdeblur.demo.run import group_photograph
from streamdeblur.folder_lock import folder_held
from support.media.faces import faces_of
from support.media.videos import VideoSpec, write_video
from support.models.networks import write_network

COMPILATION = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Import the tests without the garbage collector, which would visit what was imported, and stays, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_sessionstart(session):
    """Compile the kernels before processes test side by side, each of which would: those of the tests, and those that they start
    and end in the midst of it. Meanwhile they collect the tests."""
    if session.config.getoption("numprocesses", None) and not hasattr(session.config, "workerinput"):
        code = "from streamdeblur.warmup import compile_kernels; compile_kernels(memory=True)"
        session.config.stash[COMPILATION] = subprocess.Popen([sys.executable, "-c", code])


def pytest_xdist_node_collection_finished(node):
    """No process gets a test before the kernels are compiled."""
    compilation = node.config.stash.get(COMPILATION, None)
    assert compilation is None or compilation.wait() == 0


def pytest_sessionfinish(session):
    """Nor does the compilation outlive tests that were interrupted."""
    compilation = session.config.stash.get(COMPILATION, None)
    if compilation is not None:
        compilation.kill()
        compilation.wait()


def pytest_xdist_auto_num_workers():
    """One process more than there are cores: many tests wait for a browser, a stream or a process that they have started."""
    return usable_cores() + 1


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Makes a folder that the tests only read, by its name: the first of the processes that test side by side fills it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def folder(name, fill):
        outer = root / name
        made, filled = outer / "made", outer / "filled"
        with folder_held(outer, lambda: None):
            if not filled.exists():
                made.mkdir(exist_ok=True)
                fill(made)
                filled.touch()
        return made

    return folder


@pytest.fixture(scope="session")
def photograph():
    """uint8 RGB [886, 1280, 3]: six faces of about 110 px."""
    return group_photograph()


@pytest.fixture(scope="session")
def face_picture(photograph):
    """uint8 RGB [320, 426, 3] with one face of about 110 px."""
    return np.ascontiguousarray(photograph[180:500, 384:810])


@pytest.fixture(scope="session")
def blurry_pictures(photograph):
    """Two seconds at 25 fps of a hand-held camera over the middle of the photograph: uint8 RGB [240, 320, 3] each."""
    camera = HandheldCamera(np.ascontiguousarray(photograph[120:520, 340:860]), 320, 240)
    return [blurry for blurry, _ in camera.frames(50)]


@pytest.fixture(scope="session")
def few_pictures(face_picture):
    """Twelve frames of one slowly moving blurred face: uint8 RGB [240, 320, 3]."""
    kernel = np.zeros((13, 13), np.float32)
    kernel[6, 1:12] = 1 / 11
    blurred = cv2.filter2D(face_picture, -1, kernel)
    return [np.ascontiguousarray(blurred[20 + n : 260 + n, 60 + 2 * n : 380 + 2 * n]) for n in range(12)]


@pytest.fixture(scope="session")
def blurry_video(tmp_path_factory, blurry_pictures):
    """H.264 in MP4 with B-frames and an AAC track."""
    path = tmp_path_factory.mktemp("clips") / "blurry.mp4"
    recipe = VideoSpec(options={"crf": "14", "preset": "veryfast", "bf": "3"}, audio="aac")
    return write_video(path, blurry_pictures, recipe)


@pytest.fixture(scope="session")
def deblurrer():
    """The product as it is installed, for files."""
    with FaceDeblurrer(throughput=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def inverting(tmp_path_factory):
    """A deblurrer whose network turns every crop into its negative, so that every restored pixel changes visibly.

    The engine is the one that opens fastest, and takes the least time for small pictures.
    """
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    with FaceDeblurrer(network=network, engine="onnxruntime", always=True, throughput=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """Options for tests that do not look at the restoration: the shipped network and the default engine take longer to open."""
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    return ["--network", network, "--engine", "onnxruntime"]


@pytest.fixture(scope="session")
def faces(photograph):
    """Five faces, uint8 RGB [256, 256, 3]."""
    return faces_of(photograph)


@pytest.fixture(scope="session")
def faces_folder(tmp_path_factory, faces):
    """A folder of pictures of them."""
    folder = tmp_path_factory.mktemp("faces")
    for number, face in enumerate(faces):
        cv2.imwrite(str(folder / f"{number}.png"), face[..., ::-1])
    return folder
