"""Engines built by TensorRT on a real GPU, compared with the CPU on crops and frames."""

from __future__ import annotations

import time

import numpy as np
import pytest

from streamdeblur import FaceDeblurrer, StreamItem
from streamdeblur.engines import FrameFaces, open_engine
from streamdeblur.engines.tensorrt.opening import open_tensorrt
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.network import Network
from streamdeblur.video.planes import array_planes, frame_planes
from streamdeblur.weights import default_network
from support.media.frames import random_frame
from support.media.windows import THREE_WINDOWS as WINDOWS
from support.models.networks import expected_slots, write_network


@pytest.fixture(scope="module")
def network():
    return Network.read(default_network())


@pytest.fixture(scope="module")
def engine(gpu, network):
    opened = open_tensorrt(network)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def crops(photograph):
    planes = array_planes(photograph)
    places = ((796, 412), (320, 207), (1178, 332), (113, 329))
    return np.stack([crop(planes, FaceWindow(x, y, 190)) for x, y in places] * 3)


@pytest.fixture(scope="module")
def expected(network, crops):
    engine = open_engine("onnxruntime", network)
    yield engine.infer(crops).astype(int)
    engine.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 12])
def test_crops_of_every_batch_size_are_those_of_the_cpu(engine, crops, expected, count):
    difference = np.abs(engine.infer(crops[:count]).astype(int) - expected[:count])
    assert difference.size == 0 or (difference.max() <= 6 and difference.mean() < 0.5)


def test_an_engine_comes_from_the_cache_the_second_time(engine, network):
    again = open_tensorrt(network)
    assert "from the cache" in again.reason
    again.close()


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv422p10le", "rgb24", "gray", "rgb48le"])
def test_frames_are_cropped_and_pasted_as_on_the_cpu(gpu, tmp_path_factory, pixel_format):
    folder = tmp_path_factory.mktemp("network")
    engine = open_tensorrt(Network.read(write_network(folder / "invert.onnx", "invert")))
    frame, on_cpu = (random_frame(pixel_format, 320, 240) for _ in range(2))
    pasted = engine.submit(FrameFaces.read(frame_planes(frame), WINDOWS, [1.0, 0.5, 0.8])).paste(frame_planes(frame))
    assert pasted.finite.all()
    assert pasted.in_time.all()
    changes = [(window, crop(frame_planes(on_cpu), window)) for window in WINDOWS]
    restored = zip(changes, [1.0, 0.5, 0.8], strict=True)
    paste(
        frame_planes(on_cpu), [RestoredCrop(window, cropped, 255 - cropped, strength) for (window, cropped), strength in restored]
    )
    # the crops themselves may differ by one code value of 8 bits, and inverting doubles that
    limit = 2 << (frame_planes(frame).layout.depth - 8)
    for ours, theirs in zip(frame_planes(frame).arrays, frame_planes(on_cpu).arrays, strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= limit
    engine.close()


def test_many_frames_in_flight_are_restored_as_on_the_cpu(engine, photograph):
    given = [np.ascontiguousarray(np.roll(photograph, 3 * n, 1)) for n in range(12)]
    boxes = [[[740 + 3 * n, 356, 852 + 3 * n, 468], [264 + 3 * n, 151, 376 + 3 * n, 263]] for n in range(12)]
    results = []
    for name in ("tensorrt", "onnxruntime"):
        with FaceDeblurrer(engine=name, always=True) as deblurrer:
            items = [StreamItem(frame.copy(), faces) for frame, faces in zip(given, boxes, strict=True)]
            results.append([item.frame.copy() for item in deblurrer.stream(items)])
            assert deblurrer.statistics.restored == 24
    ours, expected = results
    for one, other in zip(ours, expected, strict=True):
        difference = np.abs(one.astype(int) - other)
        assert difference.max() <= 8
        assert difference.mean() < 0.1


def test_a_network_that_returns_nan_leaves_the_crop(gpu, tmp_path_factory, crops):
    engine = open_tensorrt(Network.read(write_network(tmp_path_factory.mktemp("network") / "nan.onnx", "nan")))
    assert np.array_equal(engine.infer(crops[:2]), crops[:2])
    engine.close()


def test_late_crops_are_unchanged_and_the_next_ones_are_restored(engine, photograph, crops, expected):
    frame = photograph.copy()
    planes = array_planes(frame)
    late = engine.submit(FrameFaces.read(planes, WINDOWS, [1.0] * 3)).paste(planes, time.monotonic() - 1.0)
    assert np.array_equal(frame, photograph)
    assert not late.in_time.any()
    assert np.abs(engine.infer(crops[3:4]).astype(int) - expected[3]).max() <= 6


def test_engines_can_be_opened_and_closed_repeatedly(engine, network, crops):
    for _ in range(5):
        again = open_tensorrt(network)
        again.infer(crops[:1])
        again.close()


def test_onnx_runtime_on_the_same_gpu_agrees(gpu, network, crops, expected):
    from streamdeblur.errors import EngineError

    try:
        engine = open_engine("onnxruntime:cuda", network)
    except EngineError as error:
        pytest.skip(str(error))
    assert np.abs(engine.infer(crops[:4]).astype(int) - expected[:4]).max() <= 6
    engine.close()


@pytest.mark.usefixtures("gpu")
def test_a_network_with_a_memory_gets_the_neighbours_of_each_crop(tmp_path, crops):
    engine = open_tensorrt(Network.read(write_network(tmp_path / "slots.onnx", "slots")))
    near = [crops[number + 1 : number + 1 + number % 3] for number in range(9)]
    restored = engine.infer(crops[:9], [[half_luma_of(one) for one in before] for before in near])
    for got, one, before in zip(restored, crops, near, strict=False):
        assert np.abs(got - expected_slots(one, before)).max() <= 1
    engine.close()
