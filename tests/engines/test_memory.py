"""Networks with a memory, on every engine: each crop gets its own neighbours, and a lone one is what it is without a memory."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from streamdeblur.engines import FrameFaces, open_engine
from streamdeblur.engines.fallback import FallbackEngine
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from support.engines import ENGINES
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.models.networks import expected_slots, write_network

OPENED = [(name, throughput) for name in ENGINES for throughput in (False, True)]
OPENED += [("fake", False)] if compiler() else []
COUNTS = [2, 0, 1, 3, 2, 1, 0, 2, 1, 1, 2]
"""Neighbours of eleven crops: more crops than the largest batch of TensorRT, and once more neighbours than are used."""
WINDOWS = [FaceWindow(60, 60, 90), FaceWindow(200, 70, 100), FaceWindow(80, 200, 80)]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return Network.read(write_network(tmp_path_factory.mktemp("networks") / "slots.onnx", "slots"))


@pytest.fixture(scope="module", params=OPENED, ids=lambda param: f"{param[0]}{'-throughput' if param[1] else ''}")
def engine(request, network, tmp_path_factory):
    name, throughput = request.param
    with pytest.MonkeyPatch.context() as patch, fake_gpu(Machine()) if name == "fake" else nullcontext():
        patch.setenv("STREAMDEBLUR_CACHE", str(tmp_path_factory.mktemp("cache")))
        opened = open_engine("tensorrt" if name == "fake" else name, network, throughput=throughput)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (len(COUNTS), 256, 256, 3), np.uint8)


@pytest.fixture(scope="module")
def near():
    """Crops before each crop."""
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (count, 256, 256, 3), np.uint8) for count in COUNTS]


def neighbours_of(near):
    return [[half_luma_of(one) for one in crops] for crops in near]


def assert_close(got, wanted):
    # half precision and bf16 round
    assert np.abs(got - wanted).max() <= 1


def test_the_memory_is_part_of_what_is_known_of_a_network(network):
    assert network.memory == 2


def test_each_crop_gets_its_own_neighbours_nearest_first(engine, crops, near):
    restored = engine.infer(crops, neighbours_of(near))
    for got, one, before in zip(restored, crops, near, strict=True):
        assert_close(got, expected_slots(one, before))


def test_crops_without_neighbours_are_restored_alone(engine, crops):
    assert_close(engine.infer(crops[:3]), crops[:3])
    assert_close(engine.infer(crops[:3], [[], [], []]), crops[:3])


def test_what_other_faces_left_in_the_memory_is_not_seen(engine, crops):
    endless = [[np.full((128, 128), np.inf, np.float32)] * 2]
    engine.infer(np.concatenate([crops[:1]] * 4), endless * 4)
    for one in crops[:4]:
        assert_close(engine.infer(one[None]), one[None])


def test_frames_in_flight_keep_their_own_neighbours(engine, near):
    pictures = np.random.default_rng(2).integers(0, 256, (5, 280, 280, 3), np.uint8)
    in_flight = []
    for number, picture in enumerate(pictures):
        read = FrameFaces.read(array_planes(picture), WINDOWS, [1.0] * 3)
        before = near[number : number + 3]
        faces = FrameFaces(read.planes, WINDOWS, read.crops, read.strengths, neighbours_of(before))
        in_flight.append((picture.copy(), faces, engine.submit(faces), before))
    for picture, faces, pending, before in in_flight:
        pending.paste(faces.planes)
        wanted = array_planes(picture)
        restored = [np.rint(expected_slots(c, b)).astype(np.uint8) for c, b in zip(faces.crops, before, strict=True)]
        paste(wanted, [RestoredCrop(w, crop(wanted, w), r) for w, r in zip(WINDOWS, restored, strict=True)])
        assert np.abs(faces.planes.arrays[0].astype(int) - wanted.arrays[0]).max() <= 2


@pytest.mark.parametrize("name", ENGINES)
def test_a_network_without_a_memory_does_not_look_at_neighbours(tmp_path, name, crops, near):
    engine = open_engine(name, Network.read(write_network(tmp_path / "invert.onnx", "invert")))
    assert np.array_equal(engine.infer(crops[:3], neighbours_of(near[:3])), engine.infer(crops[:3]))
    engine.close()


class Broken:
    """A better engine that fails."""

    name, reason, crop_sizes, parallel = "broken", "a test", (256,), 1

    def infer(self, crops, neighbours=()):
        raise EngineError("It failed.")

    submit = infer

    def close(self):
        pass


@pytest.fixture
def failing(network):
    """An engine that restores with a better one, which fails at the first faces."""
    engine = FallbackEngine(open_engine("onnxruntime", network), "broken", lambda _: Broken())
    engine._opener.join()
    assert engine.name == "broken"
    yield engine
    assert engine.name == "onnxruntime"
    engine.close()


def test_the_engine_that_takes_over_gets_the_neighbours_of_crops(failing, crops, near):
    restored = failing.infer(crops[:2], neighbours_of(near[:2]))
    for got, one, before in zip(restored, crops, near, strict=False):
        assert_close(got, expected_slots(one, before))


@pytest.mark.parametrize("count", [0, 2])
def test_the_engine_that_takes_over_gets_the_neighbours_of_faces(failing, near, count):
    before = np.random.default_rng(3).integers(0, 256, (280, 280, 3), np.uint8)
    picture = before.copy()
    faces = FrameFaces.read(array_planes(picture), WINDOWS[:1], [1.0])
    faces = replace(faces, neighbours=[neighbours_of(near[:1])[0][:count]])
    failing.submit(faces).paste(array_planes(picture))
    # without neighbours the face comes back as it is
    assert np.abs(picture.astype(int) - before).max() > 50 if count else np.array_equal(picture, before)
