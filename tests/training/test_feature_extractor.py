"""Feature extractors of the identity term: their features are right, and gradients pass through them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from streamdeblur.errors import InputError, OptionError
from streamdeblur.training.feature_extractor import open_extractor, vgg16
from streamdeblur.training.onnx_module import OnnxModule

CPU = torch.device("cpu")


def test_an_onnx_network_computes_the_same_with_torch(identity_network):
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    expected = onnxruntime.InferenceSession(str(identity_network)).run(None, {"input": images})[0]
    computed = OnnxModule(identity_network)(torch.from_numpy(images)).detach().numpy()
    assert np.abs(computed - expected).max() < 1e-4


def test_gradients_reach_the_image(identity_network):
    extractor = open_extractor(str(identity_network), CPU)
    images = torch.rand(2, 3, 256, 256, requires_grad=True)
    extractor(images).square().sum().backward()
    assert images.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in extractor.parameters())


def test_features_of_the_middle_show_where_something_is(identity_network):
    extractor = open_extractor(str(identity_network), CPU, middle=True)
    images = torch.rand(1, 3, 32, 32)
    changed = images.clone()
    changed[..., 24:, 24:] = 0
    difference = (extractor(images) - extractor(changed)).abs().amax((0, 1))
    assert difference.shape == (8, 8)
    assert difference[6:, 6:].min() > 0
    assert difference[:4, :4].max() == 0


def test_features_of_a_quarter_are_told_from_those_of_an_eighth_that_are_rounded_up(tmp_path):
    layers = [torch.nn.Conv2d(3, 4, 3, 2, 1), *(torch.nn.Conv2d(4, 4, 3, 2, 1) for _ in range(2))]
    torch.onnx.export(torch.nn.Sequential(*layers), (torch.rand(1, 3, 36, 36),), str(tmp_path / "a.onnx"), dynamo=False)
    extractor = open_extractor(str(tmp_path / "a.onnx"), CPU, middle=True)
    assert extractor(torch.rand(1, 3, 36, 36)).shape == (1, 4, 9, 9)
    # no image is scaled, so that no detail is lost
    assert extractor(torch.rand(1, 3, 72, 48)).shape == (1, 4, 18, 12)


def test_a_network_without_features_of_a_quarter_of_the_resolution_is_refused_for_them(tmp_path):
    torch.onnx.export(torch.nn.Conv2d(3, 4, 8, 8), (torch.rand(1, 3, 32, 32),), str(tmp_path / "coarse.onnx"), dynamo=False)
    assert open_extractor(str(tmp_path / "coarse.onnx"), CPU)(torch.rand(1, 3, 32, 32)).shape == (1, 4, 4, 4)
    with pytest.raises(InputError, match=r"coarse\.onnx has no features of a quarter of the resolution"):
        open_extractor(str(tmp_path / "coarse.onnx"), CPU, middle=True)


def test_vgg_16_is_read_by_the_names_of_its_weights(tmp_path):
    torch.manual_seed(0)
    network = vgg16()
    weights = {f"features.{name}": value for name, value in network.state_dict().items()} | {
        "classifier.0.weight": torch.zeros(1)
    }
    save_file(weights, tmp_path / "vgg.safetensors")
    images = torch.rand(1, 3, 64, 64)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    features = open_extractor(f"vgg16:{tmp_path}/vgg.safetensors", CPU)(images)
    assert torch.allclose(features, network((images - mean) / deviation))
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="does not hold the weights of VGG-16"):
        open_extractor(f"vgg16:{tmp_path}/other.safetensors", CPU)


def test_networks_that_cannot_be_run_are_named(tmp_path):
    node = helper.make_node("Erf", ["input"], ["output"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("input", "output")]
    onnx.save(helper.make_model(helper.make_graph([node], "g", values[:1], values[1:])), str(tmp_path / "erf.onnx"))
    with pytest.raises(InputError, match="Erf"):
        open_extractor(str(tmp_path / "erf.onnx"), CPU)
    (tmp_path / "damaged.onnx").write_bytes(b"not a network")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("absent", "damaged", "empty"):
        with pytest.raises(InputError, match="Cannot read"):
            open_extractor(str(tmp_path / f"{name}.onnx"), CPU)
    with pytest.raises(OptionError, match="--identity"):
        open_extractor("", CPU)
