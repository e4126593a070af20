"""The network that restores each crop and its mirror image is the mean of what the network without it restores of both."""

from __future__ import annotations

import sys
from pathlib import Path

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


def made_of(name: str, folder: Path) -> tuple[Network, Network]:
    """A network and the one that is made of it, as the runtime reads them."""
    made = folder / "twice.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mirrored", str(network_path(name)), str(made)])
        main()
    return Network.read(network_path(name)), Network.read(made)


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    return made_of("stream", tmp_path_factory.mktemp("mirrored"))


def results(model: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = open_on_cpu(model)
    names = [value.name for value in session.get_outputs()]
    taken = {value.name: inputs[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, taken), strict=True))


def mirror(values: np.ndarray) -> np.ndarray:
    """The mirror image of pictures; other values as they are."""
    return np.ascontiguousarray(values[..., ::-1]) if values.ndim == 4 else values


def test_each_output_is_the_mean_of_both(stream):
    once, twice = stream
    expected = results(once.model, INPUTS)
    mirrored = results(once.model, {name: mirror(values) for name, values in INPUTS.items()})
    found = results(twice.model, INPUTS)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, (expected[name] + mirror(mirrored[name])) / 2, atol=1e-4)
    assert np.abs(expected["restored"] - mirror(mirrored["restored"])).max() > 1e-3


def test_what_the_file_says_of_the_network_holds(tmp_path):
    once, twice = made_of("lite", tmp_path)
    assert (twice.preset, twice.memory, twice.crop_sizes) == ("twice", 0, once.crop_sizes)
    assert twice.ranges == once.ranges
    quantised = onnx.load_model_from_string(twice.model_in_eight_bits(256))
    assert "QuantizeLinear" in {node.op_type for node in quantised.graph.node}
    size = min(once.resized)
    crop = RNG.random((1, 3, size, size), np.float32)
    one, other = (results(once.resized[size], {"blurry": pixels})["restored"] for pixels in (crop, mirror(crop)))
    found = results(twice.resized[size], {"blurry": crop})["restored"]
    np.testing.assert_allclose(found, (one + mirror(other)) / 2, atol=1e-4)


def test_the_best_network_is_made_of_the_default_one(stream):
    best, made = (onnx.load_model_from_string(network.model).graph for network in (Network.read(network_path("best")), stream[1]))
    assert [*best.node] == [*made.node]
    assert [*best.initializer] == [*made.initializer]
