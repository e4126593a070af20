"""The life of a TensorRT engine, on a fake of TensorRT that enforces the rules of the real one."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import onnx
import pytest

from streamdeblur import FaceDeblurrer, opening
from streamdeblur.caches import read_cached, write_cached
from streamdeblur.engines import FrameFaces, open_engine
from streamdeblur.engines.fallback import FallbackEngine
from streamdeblur.engines.tensorrt.cache import BuildCancelledError, EngineCache
from streamdeblur.engines.tensorrt.device import Device, OutOfMemoryError
from streamdeblur.engines.tensorrt.opening import engine_key, open_tensorrt
from streamdeblur.errors import DetectorError, EngineError
from streamdeblur.faces.window import RestoredCrop, crop, paste
from streamdeblur.network import Network
from streamdeblur.video.planes import frame_planes
from support.fakes.cuda_on_host import compiler
from support.fakes.gpu import fake_gpu
from support.fakes.machine import BreachError, Machine
from support.fakes.pycuda import driver
from support.fakes.tensorrt import CONTEXT_BYTES_PER_IMAGE
from support.media.frames import random_frame
from support.media.windows import THREE_WINDOWS as WINDOWS
from support.models.networks import write_network

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler (g++) to run the CUDA kernels on the CPU with")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache folder, empty."""
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tensorrt"


@pytest.fixture(params=["10.7.0", "11.4.0"])
def machine(request):
    with fake_gpu(Machine(request.param)) as machine:
        yield machine


@pytest.fixture
def network(tmp_path):
    return Network.read(write_network(tmp_path / "invert.onnx", "invert"))


def crops_of(count):
    return np.random.default_rng(0).integers(0, 256, (count, 256, 256, 3), np.uint8)


def works(engine, count=3):
    crops = crops_of(count)
    return np.abs(engine.infer(crops).astype(int) - (255 - crops.astype(int))).max() <= 1


def test_an_engine_is_built_once_and_then_comes_from_the_cache(machine, network, cache):
    first = open_tensorrt(network)
    assert works(first)
    assert "built in" in first.reason
    first.close()
    second = open_tensorrt(network)
    assert works(second)
    assert "from the cache" in second.reason
    second.close()
    assert machine.builds == 1
    assert cache.stat().st_mode & 0o777 == 0o700
    (sidecar,) = cache.glob("*.json")
    assert json.loads(sidecar.read_text())["key"]["tensorrt"] == machine.tensorrt


@pytest.mark.parametrize(
    "changes",
    [{"driver": 12090}, {"gpu": "Fake 5090"}, {"tensorrt": "10.9.0"}],
    ids=["another driver", "another GPU", "another TensorRT"],
)
def test_an_engine_of_another_machine_is_not_used(network, changes):
    with fake_gpu(Machine()):
        open_tensorrt(network).close()
    with fake_gpu(Machine(**changes)) as other:
        engine = open_tensorrt(network)
        assert works(engine)
        assert other.builds == 1
        engine.close()


@pytest.mark.parametrize("kind", ["one channel", "four images", "tall", "flat"])
def test_a_network_that_returns_no_images_never_writes_to_the_device(machine, tmp_path, kind):
    network = Network.read(write_network(tmp_path / "other.onnx", kind, declared=["a", "b", "c", "d"]))
    with pytest.raises(EngineError, match=r"The network returns \[.*\] for \[8, 3, 256, 256\]"):
        open_tensorrt(network)
    assert not [event for event in machine.events if event.startswith("execute")]


def test_an_engine_of_other_tensors_is_not_run(machine, network, monkeypatch):
    monkeypatch.setattr("streamdeblur.engines.tensorrt.session.OUTPUT", "other")
    with pytest.raises(EngineError, match="The engine has the tensors blurry, restored"):
        open_tensorrt(network)


def test_another_network_has_an_engine_of_its_own(machine, network, tmp_path):
    open_tensorrt(network).close()
    same = Network.read(write_network(tmp_path / "same.onnx", "identity"))
    engine = open_tensorrt(same)
    assert np.array_equal(engine.infer(crops_of(1)), crops_of(1))
    engine.close()
    assert machine.builds == 2


@pytest.mark.parametrize("damage", ["cut off", "overwritten", "without its side-car", "with a side-car that is no JSON"])
def test_a_damaged_file_is_deleted_and_the_engine_built_again(machine, network, cache, damage):
    open_tensorrt(network).close()
    (plan,), (sidecar,) = cache.glob("*.engine"), cache.glob("*.json")
    whole = plan.read_bytes()
    if damage == "cut off":
        plan.write_bytes(whole[: len(whole) // 2])
    elif damage == "overwritten":
        plan.write_bytes(whole[:-4] + b"ruin")
    elif damage == "without its side-car":
        sidecar.unlink()
    else:
        sidecar.write_text("{")
    engine = open_tensorrt(network)
    assert works(engine)
    engine.close()
    assert machine.builds == 2
    assert plan.read_bytes() == whole


def test_a_complete_file_that_tensorrt_cannot_read_is_built_again_once(machine, network, caplog):
    cache = EngineCache()
    cache.store(engine_key(network, Device()), b"of another TensorRT with the same version", 1.0)
    engine = open_tensorrt(network)
    assert works(engine)
    engine.close()
    assert machine.builds == 1
    assert "cannot read the engine" in caplog.text


@pytest.mark.parametrize("damage", ["of another GPU", "random bytes", "empty"])
def test_a_timing_cache_is_kept_and_one_that_cannot_be_used_is_ignored(machine, network, cache, damage):
    open_tensorrt(network).close()
    (timing,) = cache.glob("*.timing")
    assert read_cached(timing) == b"timing of Fake 4060"
    if damage == "of another GPU":
        write_cached(timing, b"timing of something else")
    else:
        timing.write_bytes(b"" if damage == "empty" else bytes(range(100)))
    for plan in cache.glob("*.engine"):
        plan.unlink()
    open_tensorrt(network).close()
    assert read_cached(timing) == b"timing of Fake 4060"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_is_told_that_it_cannot_use_the_gpu(machine, network):
    engine = open_tensorrt(network)
    child = os.fork()
    if child == 0:
        try:
            engine.infer(crops_of(1))
        except EngineError as error:
            engine.close()
            os._exit(7 if "spawn" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert works(engine)
    engine.close()


def test_concurrent_openers_build_once(machine, network):
    engines = []
    threads = [threading.Thread(target=lambda: engines.append(open_tensorrt(network))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert machine.builds == 1
    assert [works(engine) for engine in engines] == [True] * 4
    for engine in engines:
        engine.close()


def test_short_memory_halves_the_batch_at_the_build(machine, network, cache, caplog):
    machine.memory = 6 * CONTEXT_BYTES_PER_IMAGE
    engine = open_tensorrt(network)
    assert works(engine, 9)
    engine.close()
    assert "at most 4" in caplog.text
    assert [entry.key.shapes for entry in EngineCache(cache).entries()] == ["256px, batches 1,2,4"]
    builds = machine.builds
    open_tensorrt(network).close()
    assert machine.builds == builds


def test_short_memory_halves_the_batch_while_it_runs(machine, network):
    engine = open_tensorrt(network)
    # another program takes what is left
    machine.memory = machine.used + 3 * CONTEXT_BYTES_PER_IMAGE
    assert works(engine, 1)
    assert works(engine, 3)
    machine.memory = machine.used
    assert works(engine, 8)
    engine.close()


def test_too_little_memory_for_a_single_crop_is_an_error(machine, network):
    machine.memory = CONTEXT_BYTES_PER_IMAGE // 2
    with pytest.raises(OutOfMemoryError, match="too little free memory"):
        open_tensorrt(network)


def test_a_gpu_without_memory_is_not_used(network):
    with fake_gpu(Machine(memory=1 << 20)):
        engine = open_engine("auto", network)
        for _ in range(200):
            if "cannot be used" in engine.reason:
                break
            time.sleep(0.05)
        assert "tensorrt cannot be used" in engine.reason
        assert works(engine)
        engine.close()


def test_a_build_can_be_cancelled(machine, network, cache):
    cancelled = threading.Event()
    with pytest.raises(BuildCancelledError):
        open_tensorrt(network, on_step=lambda step: cancelled.set(), cancelled=cancelled)
    assert list(cache.glob("*.engine")) == []


def test_the_progress_of_a_build_is_reported(machine, network):
    steps = []
    open_tensorrt(network, on_step=steps.append).close()
    assert [(step.phase, step.done, step.steps) for step in steps][:2] == [("Building", 0, 4), ("Building", 1, 4)]
    assert steps[-1].done == 4


def test_a_network_that_tensorrt_cannot_read_raises_with_its_reasons(machine, network):
    model = onnx.load_model_from_string(network.model)
    model.graph.node[0].op_type = "Warp"
    with pytest.raises(EngineError, match=r"cannot read the network: .*Warp"):
        open_tensorrt(Network(network.path, model.SerializeToString()))


def test_everything_is_released_in_order_and_once(machine, network):
    engine = open_tensorrt(network)
    works(engine)
    machine.events.clear()
    engine.close()
    engine.close()
    order = [event for event in machine.events if event.startswith(("release", "free"))]
    assert order.index("release engine") > max(n for n, event in enumerate(order) if event == "release context")
    assert order.index("release runtime") > order.index("release engine")
    assert order.index("free") > order.index("release runtime")
    assert order[-1] == "free page-locked"
    assert (machine.used, machine.allocations, machine.blocks) == (0, {}, {})
    with pytest.raises(EngineError, match="closed"):
        engine.infer(crops_of(1))


def test_addresses_are_set_once(machine, network):
    engine = open_tensorrt(network)
    works(engine, 2)
    machine.events.clear()
    for _ in range(5):
        works(engine, 2)
    # the first of them is captured, the others launch the graph
    assert (machine.events.count("execute 2"), machine.events.count("launch a graph")) == (1, 5)
    assert not any(event.startswith("address") for event in machine.events)
    engine.close()


def test_few_faces_are_restored_by_a_graph_and_many_by_launches(machine, network):
    engine = open_tensorrt(network)
    for count in (1, 2, 3, 8, 9, 1, 2, 20, 1, 3, 2):
        machine.events.clear()
        assert works(engine, count)
    for _ in range(3):
        machine.events.clear()
        assert works(engine, 2)
    assert machine.events.count("launch a graph") == 1
    machine.events.clear()
    assert works(engine, 8)
    assert "launch a graph" not in machine.events
    # room for more faces is at other addresses: graphs of before are given up
    machine.events.clear()
    assert works(engine, 40)
    assert "destroy a graph" in machine.events
    for _ in range(3):
        assert works(engine, 1)
    assert "launch a graph" in machine.events
    engine.close()


@pytest.mark.parametrize("refused_by", ["the driver", "TensorRT"])
def test_without_graphs_each_execution_is_launched(machine, network, refused_by):
    machine.refuse_capture = 801 if refused_by == "the driver" else 0
    machine.not_captured = refused_by == "TensorRT"
    engine = open_tensorrt(network)
    machine.events.clear()
    for _ in range(4):
        assert works(engine, 1)
    assert machine.events.count("execute 1") == 4
    assert "launch a graph" not in machine.events
    engine.close()


def test_an_engine_may_be_used_from_any_thread(machine, network):
    engine = open_tensorrt(network)
    results = []
    threads = [threading.Thread(target=lambda: results.append(works(engine, 2))) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert results == [True] * 3
    engine.close()


def test_the_fake_driver_finds_breaches():
    machine = Machine()
    with machine.installed():
        with pytest.raises(BreachError, match="without a current context"):
            driver.mem_alloc(10)
        context = driver.Device(0).retain_primary_context()
        context.push()
        memory, stream = driver.mem_alloc(16), driver.Stream()
        with pytest.raises(BreachError, match="not page-locked"):
            driver.memcpy_htod_async(memory, np.zeros(16, np.uint8), stream)
        driver.memcpy_dtoh_async(driver.pagelocked_empty(16, np.uint8), memory, stream)
        memory.free()
        with pytest.raises(BreachError, match="not allocated"):
            stream.synchronize()
        context.pop()
    assert len(machine.breaches) == 3


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv422p10le", "rgb24", "gray"])
def test_faces_of_frames_are_restored_as_on_the_cpu(machine, network, pixel_format):
    frames, on_cpu = ([random_frame(pixel_format, 320, 240, seed=seed) for seed in range(3)] for _ in range(2))
    engine = open_tensorrt(network)
    batches = [engine.submit(FrameFaces.read(frame_planes(frame), WINDOWS, [1.0, 0.5, 0.8])) for frame in frames]
    for pending, frame, expected in zip(batches, frames, on_cpu, strict=True):
        pasted = pending.paste(frame_planes(frame))
        assert pasted.finite.all()
        assert pasted.in_time.all()
        crops = [crop(frame_planes(expected), window) for window in WINDOWS]
        changes = zip(WINDOWS, crops, [1.0, 0.5, 0.8], strict=True)
        paste(
            frame_planes(expected),
            [RestoredCrop(window, cropped, 255 - cropped, strength) for window, cropped, strength in changes],
        )
        for ours, theirs in zip(frame_planes(frame).arrays, frame_planes(expected).arrays, strict=True):
            # the crops themselves may differ by one code value, and inverting doubles that
            limit = 2 << (frame_planes(frame).layout.depth - 8)
            assert np.abs(ours.astype(int) - theirs).max() <= limit
    engine.close()


def test_a_frame_that_is_late_is_unchanged(machine, network):
    frame = random_frame("yuv420p", 320, 240)
    before = [bytes(plane) for plane in frame.planes]
    engine = open_tensorrt(network)
    pending = engine.submit(FrameFaces.read(frame_planes(frame), WINDOWS, [1.0] * 3))
    pasted = pending.paste(frame_planes(frame), time.monotonic() - 1)
    assert not pasted.in_time.any()
    assert [bytes(plane) for plane in frame.planes] == before
    assert works(engine)
    engine.close()


def test_faces_that_are_given_up_free_their_memory_when_the_device_is_done(machine, network):
    engine = open_tensorrt(network)
    frame = random_frame("yuv420p")
    before = [bytes(plane) for plane in frame.planes]
    for _ in range(3):
        engine.submit(FrameFaces.read(frame_planes(frame), WINDOWS, [1.0] * 3)).discard()
    assert works(engine)
    engine._thread.call(lambda: None)
    blocks = len(engine._staging._free)
    engine.submit(FrameFaces.read(frame_planes(frame), WINDOWS, [1.0] * 3)).discard()
    engine._thread.call(lambda: None)
    assert len(engine._staging._free) == blocks
    assert [bytes(plane) for plane in frame.planes] == before
    engine.close()


def test_an_engine_is_closed_at_the_end_of_the_interpreter(machine, network):
    engine = open_tensorrt(network)
    assert engine in opening._open
    engine.close()


def test_a_stream_through_the_deblurrer_uses_the_gpu_for_all_of_it(machine, network, face_picture):
    frames = [np.ascontiguousarray(np.roll(face_picture, 3 * n, 1)) for n in range(4)]
    with FaceDeblurrer(network=network.path, engine="openvino", always=True) as deblurrer:
        expected = [frame.copy() for frame in deblurrer.stream(frame.copy() for frame in frames)]
    machine.events.clear()
    with FaceDeblurrer(network=network.path, engine="tensorrt", always=True) as deblurrer:
        ours = [frame.copy() for frame in deblurrer.stream(frame.copy() for frame in frames)]
        assert deblurrer.statistics.restored >= 4
    assert machine.events.count("paste_faces_8") == 4
    for one, other in zip(ours, expected, strict=True):
        difference = np.abs(one.astype(int) - other)
        assert difference.max() <= 8
        assert difference.mean() < 0.1


def test_while_the_first_engine_is_built_another_one_works(network):
    with fake_gpu(Machine()) as machine:
        machine.hold_builds = threading.Event()
        engine = open_engine("auto", network)
        assert isinstance(engine, FallbackEngine)
        assert engine.name != "tensorrt"
        assert works(engine)
        machine.hold_builds.set()
        for _ in range(400):
            if engine.name == "tensorrt":
                break
            time.sleep(0.05)
        assert engine.name == "tensorrt"
        assert works(engine)
        engine.close()
        again = open_engine("auto", network)
        assert (again.name, isinstance(again, FallbackEngine)) == ("tensorrt", False)
        again.close()


def test_closing_while_the_engine_is_built_ends_the_build(network):
    with fake_gpu(Machine()) as machine:
        machine.hold_builds = threading.Event()
        engine = open_engine("auto", network)
        closing = threading.Thread(target=engine.close)
        closing.start()
        assert engine._cancelled.wait(60)
        machine.hold_builds.set()
        closing.join(60)
        assert not closing.is_alive()
        assert machine.used == 0
        assert engine.name != "tensorrt"


def test_a_detector_that_cannot_be_opened_leaves_the_gpu_alone(network, tmp_path):
    with fake_gpu(Machine()) as machine:
        open_tensorrt(network).close()
        with pytest.raises(DetectorError, match="missing"):
            FaceDeblurrer(network=tmp_path / "invert.onnx", engine="tensorrt", detector="scrfd:missing.onnx")
        assert machine.used == 0


def test_closing_does_not_wait_for_the_build_of_another_process(network):
    with fake_gpu(Machine()) as machine:
        key = engine_key(network, Device())
        with EngineCache().building(key):
            engine = open_engine("auto", network)
            closing = threading.Thread(target=engine.close)
            closing.start()
            closing.join(20)
            assert not closing.is_alive()
        assert machine.builds == 0


def test_a_gpu_that_fails_falls_back_to_the_engine_before_it(network, caplog):
    with fake_gpu(Machine()) as machine:
        open_tensorrt(network).close()
        frame, expected = (random_frame("yuv420p", 320, 240) for _ in range(2))
        engine = FallbackEngine(open_engine("openvino", network), "tensorrt", lambda cancelled: open_tensorrt(network))
        for _ in range(400):
            if engine.name == "tensorrt":
                break
            time.sleep(0.05)
        machine.fail_launches = True
        crops = np.stack([crop(frame_planes(frame), window) for window in WINDOWS])
        pending = engine.submit(FrameFaces(frame_planes(frame), WINDOWS, crops, [1.0] * 3))
        assert pending.paste(frame_planes(frame)).finite.all()
        restorations = [RestoredCrop(window, cropped, 255 - cropped) for window, cropped in zip(WINDOWS, crops, strict=True)]
        paste(frame_planes(expected), restorations)
        assert all(bytes(a) == bytes(b) for a, b in zip(frame.planes, expected.planes, strict=True))
        assert engine.name == "openvino"
        assert "unspecified launch failure" in engine.reason
        assert works(engine)
        machine.fail_launches = False
        engine.close()
        for _ in range(200):
            if machine.used == 0:
                break
            time.sleep(0.05)
        assert machine.used == 0


def test_without_a_gpu_the_error_says_so(network):
    with fake_gpu(Machine(gpu="")), pytest.raises(EngineError, match="CUDA finds no GPU"):
        open_engine("tensorrt", network)
