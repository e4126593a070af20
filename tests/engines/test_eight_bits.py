"""Convolutions in eight bits: what they compute, which files may ask for them, and when they are chosen."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from streamdeblur import FaceDeblurrer, speeds, weights
from streamdeblur.caches import write_cached
from streamdeblur.eight_bits import LARGEST_WEIGHT, in_eight_bits
from streamdeblur.engines import open_engine, registry
from streamdeblur.errors import EngineError, NetworkError
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.options import RestorationOptions
from streamdeblur.video.planes import array_planes
from streamdeblur.weights import network_names, network_path
from support.models.convolution import write_convolution

ENGINE = registry.EIGHT_BITS


@pytest.fixture(scope="module")
def crops(photograph):
    planes = array_planes(photograph)
    return np.stack([crop(planes, FaceWindow(x, y, 190)) for x, y in ((796, 412), (320, 207))])


@pytest.mark.parametrize("half", [False, True])
def test_a_convolution_is_that_of_its_rounded_weights(tmp_path, crops, half):
    network = Network.read(write_convolution(tmp_path / "a.onnx", half=half, sizes='{"128": {}}'))
    assert network.ranges == {"convolution": (0.0, 1.0)}
    with_floats, engine = (open_engine(name, network) for name in ("openvino", ENGINE))
    assert engine.name == ENGINE
    for batch in (crops, np.ascontiguousarray(crops[:, :128, :128])):
        expected, restored = (one.infer(batch).astype(int) for one in (with_floats, engine))
        # 6 bits and a sign for each of nine weights
        assert 0 < np.abs(expected - restored).max() <= 4
    for one in (with_floats, engine):
        one.close()


PREPARED = [name for name in network_names() if Network.read(network_path(name)).ranges]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in ("best", "stream") else []) for name in PREPARED]
)
def test_the_shipped_networks_compute_nearly_the_same_in_both_runtimes(name, crops):
    network = Network.read(network_path(name))
    model = onnx.load_model_from_string(network.model_in_eight_bits(256))
    largest = [
        abs(numpy_helper.to_array(t).astype(int)).max() for t in model.graph.initializer if t.data_type == TensorProto.INT8
    ]
    # two products with 255 fit 16 bits, so that CPUs without VNNI compute the same
    assert max(largest) == LARGEST_WEIGHT
    assert LARGEST_WEIGHT * 255 * 2 < 1 << 15
    image = np.ascontiguousarray(crops[:1].transpose(0, 3, 1, 2), np.float32) / 255
    inputs = {"blurry": image}
    if network.memory:
        inputs |= {
            "memory": np.zeros((1, network.memory, 128, 128), np.float32),
            "validity": np.zeros((1, network.memory), np.float32),
        }
    (expected,), (other,) = (
        open_on_cpu(content).run(["restored"], inputs) for content in (network.model, model.SerializeToString())
    )
    engine = open_engine(ENGINE, network)
    restored = engine.infer(crops[:1]).transpose(0, 3, 1, 2) / 255
    engine.close()
    for one in (other, restored):
        assert 0 < np.square(one.clip(0, 1) - expected.clip(0, 1)).mean() < 10 ** (-38 / 10)


def test_without_ranges_there_are_no_eight_bits(tmp_path, crops):
    network = Network.read(write_convolution(tmp_path / "a.onnx", ranges=None))
    assert network.ranges == {}
    with pytest.raises(NetworkError, match="does not say how it computes in eight bits"):
        network.model_in_eight_bits(256)
    with pytest.raises(EngineError, match="does not say how it computes in eight bits"):
        open_engine(ENGINE, network)


@pytest.mark.parametrize(
    "ranges",
    [
        "", "[]", "1", '{"convolution": 1}', '{"convolution": [0]}', '{"convolution": [0, "1"]}', '{"convolution": [true, 1]}',
        '{"convolution": [1, 2]}', '{"convolution": [0, 0]}', '{"convolution": [0, Infinity]}', '{"convolution": [NaN, 1]}',
        '{"convolution": [0, 1' + "0" * 400 + "]}", "[" * 100_000, " " * (1 << 21),
    ],
    ids=lambda text: text[:30].strip() or "spaces",
)  # fmt: skip
def test_ranges_that_cannot_be_are_refused(tmp_path, ranges):
    with pytest.raises(NetworkError, match="metadata that cannot be read"):
        Network.read(write_convolution(tmp_path / "a.onnx", ranges=ranges))


def test_ranges_of_what_is_no_convolution_with_finite_weights_are_refused(tmp_path):
    network = Network.read(write_convolution(tmp_path / "a.onnx", ranges='{"other": [0, 1]}'))
    with pytest.raises(NetworkError, match="no convolution 'other' with constant weights"):
        open_engine(ENGINE, network)
    model = onnx.load(str(tmp_path / "a.onnx"))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((3, 3, 3, 3), np.nan, np.float32), "weights"))
    with pytest.raises(ValueError, match="not finite"):
        in_eight_bits(model, {"convolution": (0.0, 1.0)})


@pytest.mark.parametrize(
    ("floats", "eight", "first"),
    [
        (10, 5, ENGINE),
        (10, 6.9, ENGINE),
        (10, 7.5, "openvino"),
        (10, 12, "openvino"),
        (10, None, "openvino"),
        (None, 5, "openvino"),
    ],
)
def test_they_are_chosen_where_they_were_measured_to_be_much_faster(tmp_path, monkeypatch, floats, eight, first):
    folder = tmp_path / "weights"
    folder.mkdir()
    write_convolution(folder / "one.onnx")
    write_convolution(tmp_path / "without.onnx", ranges=None)
    monkeypatch.setattr(weights, "TABLE", (weights.ShippedNetwork("one", ""),))
    monkeypatch.setattr(weights, "files", lambda _: folder)
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    times = {"openvino": floats, ENGINE: eight, "onnxruntime": 20}
    rows = [{"engine": name, "network": "one", "crop_size": 256, "ms": ms} for name, ms in times.items()]
    assert speeds.as_measured(list(times)) == list(times)
    write_cached(speeds._cache_path(), json.dumps(rows).encode())
    for network, expected in (("one", first), (tmp_path / "without.onnx", "openvino")):
        with FaceDeblurrer(network=network) as deblurrer:
            assert deblurrer.engine.name == expected
    if eight is not None and first == ENGINE:
        assert speeds.seconds_of_networks("auto") == {("one", 256): eight / 1000}


def test_a_network_without_eight_bits_counts_in_floating_point(tmp_path, monkeypatch):
    write_convolution(tmp_path / "best.onnx", ranges=None)
    write_convolution(tmp_path / "quick.onnx")
    monkeypatch.setattr(weights, "TABLE", tuple(weights.ShippedNetwork(name, "") for name in ("best", "quick")))
    monkeypatch.setattr(weights, "files", lambda _: tmp_path)
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    times = {("openvino", "best"): 40, ("openvino", "quick"): 20, (ENGINE, "best"): None, (ENGINE, "quick"): 10}
    rows = [{"engine": engine, "network": name, "crop_size": 256, "ms": ms} for (engine, name), ms in times.items()]
    write_cached(speeds._cache_path(), json.dumps(rows).encode())
    assert speeds.seconds_of_networks("auto") == {("best", 256): 0.04, ("quick", 256): 0.01}
    assert speeds.known_choice(real_time=True) == "quick"
    assert speeds.chosen_network(RestorationOptions(network="auto"), real_time=True).stem == "quick"


def test_auto_measures_both_before_it_chooses(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    folder.mkdir()
    write_convolution(folder / "one.onnx")
    monkeypatch.setattr(weights, "TABLE", (weights.ShippedNetwork("one", ""),))
    monkeypatch.setattr(weights, "files", lambda _: folder)
    monkeypatch.setenv("STREAMDEBLUR_CACHE", str(tmp_path / "cache"))
    speeds.seconds_of_networks("auto")
    assert [one.engine for one in speeds.known_speeds()] == ["openvino", ENGINE]
