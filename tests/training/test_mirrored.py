"""The network that restores each crop and its mirror image is the mean of what the network without it restores of both."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest

from streamdeblur.network import Network
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.training.mirrored import main
from streamdeblur.weights import network_path

RNG = np.random.default_rng(5)
INPUTS = {
    "blurry": RNG.random((2, 3, 256, 256), np.float32),
    "memory": RNG.random((2, 4, 128, 128), np.float32),
    "validity": np.array([[1, 1, 0, 0], [0, 0, 0, 0]], np.float32),
}


@pytest.fixture(scope="module", params=["stream", "lite"])
def networks(request, tmp_path_factory):
    """A network and the one that is made of it, as the runtime reads them."""
    made = tmp_path_factory.mktemp("mirrored") / "twice.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mirrored", str(network_path(request.param)), str(made)])
        main()
    return Network.read(network_path(request.param)), Network.read(made)


def results(model: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = open_on_cpu(model)
    names = [value.name for value in session.get_outputs()]
    taken = {value.name: inputs[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, taken), strict=True))


def mirror(values: np.ndarray) -> np.ndarray:
    """The mirror image of pictures; other values as they are."""
    return np.ascontiguousarray(values[..., ::-1]) if values.ndim == 4 else values


def test_each_output_is_the_mean_of_both(networks):
    once, twice = networks
    expected = results(once.model, INPUTS)
    mirrored = results(once.model, {name: mirror(values) for name, values in INPUTS.items()})
    found = results(twice.model, INPUTS)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, (expected[name] + mirror(mirrored[name])) / 2, atol=1e-4)
    assert np.abs(expected["restored"] - mirror(mirrored["restored"])).max() > 1e-3


def test_what_the_file_says_of_the_network_holds(networks):
    once, twice = networks
    assert (twice.preset, twice.memory, twice.crop_sizes) == ("twice", once.memory, once.crop_sizes)
    assert twice.ranges == once.ranges
    quantised = onnx.load_model_from_string(twice.model_in_eight_bits(256))
    assert "QuantizeLinear" in {node.op_type for node in quantised.graph.node}
    for size in once.resized:
        crop = {"blurry": RNG.random((1, 3, size, size), np.float32)}
        expected, mirrored = (
            results(once.resized[size], inputs)["restored"] for inputs in (crop, {"blurry": mirror(crop["blurry"])})
        )
        np.testing.assert_allclose(results(twice.resized[size], crop)["restored"], (expected + mirror(mirrored)) / 2, atol=1e-4)


def test_the_best_network_is_made_of_the_default_one(networks):
    once, twice = networks
    if once.preset == "stream":
        best = onnx.load_model_from_string(Network.read(network_path("best")).model)
        assert [*best.graph.node] == [*onnx.load_model_from_string(twice.model).graph.node]
        assert [*best.graph.initializer] == [*onnx.load_model_from_string(twice.model).graph.initializer]
