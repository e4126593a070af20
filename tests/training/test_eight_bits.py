"""The ranges of eight bits: measured on crops, without what costs too much, written into the file of a network."""

from __future__ import annotations

import numpy as np
import onnx

from streamdeblur.network import Network
from streamdeblur.training import eight_bits
from streamdeblur.training.eight_bits import Example, loss_of, measured_ranges, without_sensitive, write_ranges
from support.models.convolution import write_convolution


def test_ranges_are_measured_and_what_costs_much_is_left_out(tmp_path, monkeypatch):
    path = write_convolution(tmp_path / "a.onnx", ranges=None)
    before = onnx.load(str(path))
    images = np.random.default_rng(0).random((2, 1, 3, 256, 256), np.float32)
    examples = [Example({"blurry": image}, image) for image in images]
    ranges = measured_ranges(before, examples)
    assert ranges == {"convolution": (0.0, 1.0)}
    assert without_sensitive(before, ranges, examples) == ranges
    write_ranges(path, ranges)
    assert Network.read(path).ranges == ranges
    assert onnx.load(str(path)).graph == before.graph
    monkeypatch.setattr(eight_bits, "LARGEST_LOSS", -1.0)
    assert without_sensitive(before, ranges, examples) == {}


def test_an_image_that_is_not_finite_is_a_loss_without_bounds(tmp_path):
    model = onnx.load(str(write_convolution(tmp_path / "a.onnx", ranges=None)))
    image = np.full((1, 3, 256, 256), np.nan, np.float32)
    assert loss_of(model, {"convolution": (0.0, 1.0)}, [Example({"blurry": image}, image)], [30.0]) == np.inf
