"""Networks for crops of several sizes, on every engine: each crop gets the graph of its size."""

from __future__ import annotations

import gc
import itertools
import queue
import threading
import weakref
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from streamdeblur.engines import FrameFaces, open_engine
from streamdeblur.engines.fallback import FallbackEngine
from streamdeblur.engines.sized_graphs import SizedGraphs
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, RestoredCrop, crop, paste
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes
from support.engines import ENGINES
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import Machine
from support.models.networks import COLOURS, SIZES, expected_slots, write_colours, write_network
from support.servers import wait_until

SIDES = {128: 90, 192: 150, 256: 240}
"""Sides of windows of faces, by the sizes of their crops."""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return Network.read(write_colours(tmp_path_factory.mktemp("networks") / "colours.onnx"))


@pytest.fixture(scope="module")
def inverting(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "invert.onnx"
    return Network.read(write_network(path, "invert", metadata={"sizes": SIZES}))


@pytest.fixture(
    params=[(name, throughput) for name in ENGINES for throughput in (False, True)],
    ids=lambda param: f"{param[0]}{'-throughput' if param[1] else ''}",
)
def opened(request):
    """Opens an engine for a network."""
    engines = []

    def open_it(network):
        engines.append(open_engine(request.param[0], network, throughput=request.param[1]))
        return engines[-1]

    yield open_it
    for engine in engines:
        engine.close()


def random_crops(sizes, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (size, size, 3), np.uint8) for size in sizes]


def faces_of(picture, sizes):
    """The faces of a frame, one of each size beside the other."""
    planes = array_planes(picture)
    windows = [FaceWindow(130 + 250 * n, 140, SIDES[size]) for n, size in enumerate(sizes)]
    return FrameFaces(planes, windows, [crop(planes, w, s) for w, s in zip(windows, sizes, strict=True)], [1.0] * len(sizes))


def test_a_network_says_which_sizes_it_takes(network, tmp_path):
    assert network.crop_sizes == (128, 192, 256)
    assert Network.read(write_network(tmp_path / "one.onnx", "invert")).crop_sizes == (256,)


def test_crops_of_each_size_get_its_graph(opened, network):
    engine = opened(network)
    assert engine.crop_sizes == network.crop_sizes
    for size, colour in COLOURS.items():
        restored = engine.infer(np.zeros((2, size, size, 3), np.uint8))
        assert restored.shape == (2, size, size, 3)
        assert (restored == colour).all()


def test_faces_of_all_sizes_in_one_frame(opened, network):
    picture = np.random.default_rng(0).integers(0, 256, (280, 760, 3), np.uint8)
    expected, faces = picture.copy(), faces_of(picture, COLOURS)
    outcome = opened(network).submit(faces).paste(faces.planes)
    assert outcome.finite.all()
    assert outcome.in_time.all()
    filled = [np.broadcast_to(np.uint8(COLOURS[len(one)]), one.shape) for one in faces.crops]
    results = zip(faces.windows, faces.crops, filled, strict=True)
    paste(array_planes(expected), [RestoredCrop(window, before, after) for window, before, after in results])
    assert np.array_equal(picture, expected)
    assert not np.array_equal(expected, np.random.default_rng(0).integers(0, 256, (280, 760, 3), np.uint8))


def test_frames_of_mixed_sizes_in_flight_come_back_to_their_own(opened, inverting):
    engine = opened(inverting)
    orders = [order for count in (1, 2, 3) for order in itertools.permutations(COLOURS, count)]
    in_flight = []
    for number, order in enumerate(orders):
        picture = np.random.default_rng(number).integers(0, 256, (280, 760, 3), np.uint8)
        faces = faces_of(picture, order)
        in_flight.append((faces, engine.submit(faces)))
    for number, (faces, pending) in enumerate(in_flight):
        pending.paste(faces.planes)
        planes = array_planes(np.random.default_rng(number).integers(0, 256, (280, 760, 3), np.uint8))
        restored = [RestoredCrop(w, c, 255 - c) for w, c in zip(faces.windows, faces.crops, strict=True)]
        paste(planes, restored)
        assert np.array_equal(faces.planes.arrays[0], planes.arrays[0])


class Watched:
    """A graph that counts how many crops are with it, and with the others."""

    lock = threading.Lock()

    def __init__(self, graph, running, crowds):
        self._graph, self._running, self._crowds, self.parallel = graph, running, crowds, graph.parallel
        self.description, self.close = graph.description, graph.close

    def submit(self, image, neighbours=()):
        with self.lock:
            self._running.append(self)
            if len(set(self._running)) > 1:
                self._crowds.append((len(self._running), min(graph.parallel for graph in self._running)))
        future = self._graph.submit(image, neighbours)
        future.add_done_callback(lambda _: self._running.remove(self))
        return future


def test_graphs_of_several_sizes_never_compute_on_more_cores_than_there_are(opened, inverting):
    engine = opened(inverting)
    running, crowds = [], []
    engine.warm_up()
    graphs = engine._graphs._graphs
    graphs |= {size: Watched(graph, running, crowds) for size, graph in graphs.items()}
    crops = random_crops([256, 128, 192, 128, 128, 256, 256] * 5)
    for before, pending in [(one, engine._submit([one], ())) for one in crops]:
        after = np.empty_like(before)
        pending.write([after])
        assert np.array_equal(after, 255 - before)
    assert all(count <= parallel for count, parallel in crowds)


class Held:
    """A graph for two crops at a time, whose results come when a test says so."""

    description, parallel = "held", 2

    def __init__(self, size, started):
        self._size, self._started = size, started

    def submit(self, image, neighbours=()):
        future = Future()
        self._started.put((self._size, future))
        return future

    def close(self):
        pass


def test_a_crop_of_another_size_starts_when_there_are_cores_for_it():
    started = queue.Queue()
    graphs = SizedGraphs([128, 256], lambda size: Held(size, started))
    results = [graphs.submit(one) for one in random_crops([256, 256, 256, 128, 256])]

    def next_of(size):
        got, future = started.get(timeout=30)
        assert got == size
        return future

    def none_starts():
        with pytest.raises(queue.Empty):
            started.get(timeout=0.1)

    # crops of one size queue in their graph
    first, second, third = next_of(256), next_of(256), next_of(256)
    none_starts()
    first.set_result([])
    none_starts()
    second.set_result([])
    small = next_of(128)
    none_starts()
    small.set_result([])
    for future in (third, next_of(256)):
        future.set_result([])
    assert [result.result(30) for result in results] == [[]] * 5
    graphs.close()


def test_a_crop_that_is_given_up_is_left_out_and_holds_up_no_other():
    started = queue.Queue()
    graphs = SizedGraphs([128, 256], lambda size: Held(size, started))
    results = [graphs.submit(one) for one in random_crops([256, 256, 128, 256])]
    (_, first), (_, second) = (started.get(timeout=30) for _ in range(2))
    # one that waits for cores, and one that waits in its graph
    assert results[2].cancel()
    first.set_result([])
    size, last = started.get(timeout=30)
    assert size == 256
    wait_until(lambda: last._done_callbacks)
    assert results[3].cancel()
    assert last.cancelled()
    # one that is being computed ends for nobody
    second.set_running_or_notify_cancel()
    assert results[1].cancel()
    second.set_exception(RuntimeError("nobody waits for it"))
    assert results[0].result(30) == []
    graphs.close()
    assert started.empty()


def test_faces_of_every_size_are_given_up(opened, inverting):
    engine = opened(inverting)
    for number in range(4):
        picture = np.random.default_rng(number).integers(0, 256, (280, 760, 3), np.uint8)
        engine.submit(faces_of(picture, COLOURS)).discard()
        assert np.array_equal(picture, np.random.default_rng(number).integers(0, 256, (280, 760, 3), np.uint8))
    for size in COLOURS:
        assert (engine.infer(np.zeros((1, size, size, 3), np.uint8)) == 255).all()


def test_an_engine_that_is_closed_refuses_every_size(opened, inverting):
    engine = opened(inverting)
    engine.infer(np.zeros((1, 128, 128, 3), np.uint8))
    engine.close()
    engine.close()
    for size in COLOURS:
        with pytest.raises(EngineError, match=r"The engine is closed\."):
            engine.infer(np.zeros((1, size, size, 3), np.uint8))


def test_a_size_is_opened_with_its_first_crop_or_before(opened, inverting):
    lazy, warm = opened(inverting), opened(inverting)
    assert list(lazy._graphs._graphs) == [256]
    lazy.infer(np.zeros((1, 128, 128, 3), np.uint8))
    assert sorted(lazy._graphs._graphs) == [128, 256]
    warm.warm_up()
    assert sorted(warm._graphs._graphs) == [128, 192, 256]


def test_a_size_that_cannot_be_run_says_so_and_the_others_go_on(opened, tmp_path):
    """The declared output is open, so that only a runtime knows that the result for 128 px is no crop."""
    path = write_network(
        tmp_path / "tall.onnx", "tall", declared=["a", "b", "c", "d"], metadata={"sizes": '{"128": {"repeats": [1, 1, 2, 1]}}'}
    )
    model = Network.read(path)
    changed = Network(**vars(model) | {"model": Network.read(write_network(tmp_path / "invert.onnx", "invert")).model})
    engine = opened(changed)
    with pytest.raises(Exception, match=r"the network returns \[|The network returned \[") as raised:
        engine.infer(np.zeros((1, 128, 128, 3), np.uint8))
    assert type(raised.value).__name__ in ("NetworkError", "EngineError")
    assert (engine.infer(np.zeros((1, 256, 256, 3), np.uint8)) == 255).all()


def test_a_network_of_one_size_is_computed_as_that_size_of_another(opened, tmp_path, inverting):
    crops = np.stack(random_crops([256] * 3))
    alone = opened(Network.read(write_network(tmp_path / "invert.onnx", "invert")))
    assert np.array_equal(alone.infer(crops), opened(inverting).infer(crops))
    for size in (128, 192, 64):
        with pytest.raises(ValueError, match=r"\[N, 256, 256, 3\]"):
            alone.infer(np.zeros((1, size, size, 3), np.uint8))


def test_sizes_that_the_network_does_not_have_are_refused(opened, inverting):
    engine = opened(inverting)
    for shape in ((1, 64, 64, 3), (1, 128, 192, 3), (1, 128, 128, 1)):
        with pytest.raises(ValueError, match=r"\[N, 128, 128, 3\] or \[N, 192, 192, 3\] or \[N, 256, 256, 3\]"):
            engine.infer(np.zeros(shape, np.uint8))


def test_neighbours_are_of_the_size_of_the_crop(opened, tmp_path):
    engine = opened(Network.read(write_network(tmp_path / "slots.onnx", "slots", metadata={"sizes": SIZES})))
    for size in COLOURS:
        one, *before = random_crops([size] * 3)
        other = half_luma_of(random_crops([128 if size == 256 else 256])[0])
        near = [half_luma_of(before[0]), other, half_luma_of(before[1])]
        assert np.abs(engine.infer(one[None], [near])[0] - expected_slots(one, before)).max() <= 1


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_closed_frees_its_memory(name, inverting):
    engine = open_engine(name, inverting)
    for size in COLOURS:
        engine.infer(np.zeros((1, size, size, 3), np.uint8))
    engine.close()
    graphs = [weakref.ref(graph) for graph in engine._graphs._graphs.values()]
    del engine
    gc.collect()
    assert [graph() for graph in graphs] == [None] * 3


class OfOneSize:
    """A better engine that takes crops of 256 px only."""

    name, reason, crop_sizes, parallel = "better", "a test", (CROP_SIZE,), 1

    def infer(self, crops, neighbours=()):
        assert crops.shape[1] == CROP_SIZE
        return crops

    def close(self):
        pass


def test_crops_that_the_better_engine_does_not_take_are_restored_by_the_first(inverting):
    engine = FallbackEngine(open_engine("onnxruntime", inverting), "better", lambda _: OfOneSize())
    engine._opener.join()
    assert engine.crop_sizes == (256,)
    large, small = (one[None] for one in random_crops([256, 128]))
    assert np.array_equal(engine.infer(large), large)
    assert np.array_equal(engine.infer(small), 255 - small)
    assert engine.name == "better"
    engine.close()


@pytest.mark.skipif(compiler() is None, reason="the fake GPU needs a C++ compiler")
def test_tensorrt_takes_crops_of_256_px_and_reads_those_of_faces_itself(inverting, tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path))
    with fake_gpu(Machine()):
        engine = open_engine("tensorrt", inverting)
        assert engine.crop_sizes == (256,)
        with pytest.raises(ValueError, match=r"\[N, 256, 256, 3\]"):
            engine.infer(np.zeros((1, 128, 128, 3), np.uint8))
        picture = np.full((280, 760, 3), 40, np.uint8)
        faces = faces_of(picture, COLOURS)
        engine.submit(faces).paste(faces.planes)
        assert np.abs(picture[140, [130, 380, 630]].astype(int) - 215).max() <= 1
        engine.close()


@pytest.mark.skipif(compiler() is None, reason="the fake GPU needs a C++ compiler")
def test_tensorrt_leaves_out_neighbours_of_other_sizes(tmp_path, monkeypatch):
    """Those that another engine would have taken, before TensorRT was ready."""
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path))
    path = write_network(tmp_path / "slots.onnx", "slots", metadata={"sizes": SIZES})
    picture = np.random.default_rng(0).integers(0, 256, (280, 760, 3), np.uint8)
    with fake_gpu(Machine()):
        engine = open_engine("tensorrt", Network.read(path))
        changed = picture.copy()
        faces = faces_of(changed, COLOURS)
        near = [[half_luma_of(np.zeros((size, size, 3), np.uint8))] for size in (256, 192, 128)]
        engine.submit(replace(faces, neighbours=near)).paste(faces.planes)
        engine.close()
    changes = np.abs(changed.astype(int) - picture)
    assert [int(changes[100:180, x - 40 : x + 40].max()) > 1 for x in (130, 380, 630)] == [True, False, False]


def test_an_engine_that_fails_on_one_crop_says_so(inverting):
    engine = open_engine("onnxruntime", inverting)
    engine.warm_up()
    graphs = engine._graphs._graphs

    class Failing:
        parallel, close = 1, graphs[128].close

        def submit(self, image, neighbours=()):
            raise RuntimeError("The driver does not answer.")

    graphs[128] = Failing()
    with pytest.raises(EngineError, match="The driver does not answer"):
        engine.infer(np.zeros((1, 128, 128, 3), np.uint8))
    assert (engine.infer(np.zeros((1, 192, 192, 3), np.uint8)) == 255).all()
    engine.close()
