"""A network with a memory, from torch to the engines: what is exported is what the runtime gives its inputs to."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from streamdeblur.crop_sizes import SIZES, differing_constants
from streamdeblur.engines import open_engine
from streamdeblur.engines.half import EXACT_MODULE, compute_in_half
from streamdeblur.faces.neighbours import half_luma_of
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.network import Network
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.training.export import to_onnx
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.video.planes import array_planes
from support.media.motion import shaken
from support.models.trainings import TINY_LITE, load


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """An untrained network that has the modules of the preset `stream`."""
    folder = tmp_path_factory.mktemp("network")
    sizes = TINY_LITE["network"]
    tiny = {"hourglass": sizes["hourglass"], "generator": sizes["generator"], "draft": deepcopy(sizes["generator"])}
    preset = load(folder / "config.yaml", "stream", {"network": tiny}).network
    torch.manual_seed(0)
    generator, draft = (TwoPathGenerator(part, preset.hourglass.code) for part in (preset.generator, preset.draft))
    generator.sharp_encoder = draft.sharp_encoder = None
    built = TwoStepNetwork(Hourglass(preset.hourglass), generator, draft).eval().requires_grad_(False)
    for weights in generator.parameters():
        if not weights.any():
            torch.nn.init.normal_(weights, 0.0, 0.05)
    model, small = to_onnx(built), to_onnx(built, 128)
    listed = json.dumps({128: differing_constants(model, small)})
    helper.set_model_props(model, {"preset": "stream", "memory": str(built.memory), SIZES: listed})
    onnx.save(small, str(folder / "small.onnx"))
    onnx.save(model, str(folder / "stream.onnx"))
    return Network.read(folder / "stream.onnx")


@pytest.fixture(scope="module")
def exposures(photograph):
    sharp = crop(array_planes(photograph), FaceWindow(796, 412, 190))
    return np.stack([shaken(sharp, seed) for seed in range(3)])


@pytest.fixture(scope="module")
def restored(network, exposures):
    """What the engines return for an exposure alone, and with two neighbours."""
    near = [half_luma_of(one) for one in exposures[1:]]
    results = {}
    for name in ("openvino", "onnxruntime"):
        engine = open_engine(name, network)
        results[name] = [engine.infer(exposures[:1], [neighbours])[0].astype(int) for neighbours in ([], near)]
        engine.close()
    return results


def test_the_engines_agree(restored):
    for one, other in zip(*restored.values(), strict=True):
        assert np.abs(one - other).max() <= 6
        assert np.abs(one - other).mean() < 0.5


def test_neighbours_change_the_result_and_an_empty_memory_has_no_part_in_it(network, exposures, restored):
    alone, together = restored["onnxruntime"]
    assert np.abs(alone - together).max() > 6
    inputs = {"blurry": exposures[:1].transpose(0, 3, 1, 2).astype(np.float32) / 255}
    empty = network.memory
    inputs |= {"memory": np.full((1, empty, 128, 128), 0.7, np.float32), "validity": np.zeros((1, empty), np.float32)}
    expected = open_on_cpu(network.model).run(["restored"], inputs)[0][0].transpose(1, 2, 0) * 255
    assert np.abs(alone - expected).max() <= 1


def test_crops_of_another_size_are_restored_with_neighbours_of_that_size(network, photograph):
    sharp = crop(array_planes(photograph), FaceWindow(796, 412, 130), 128)
    present, *before = (shaken(sharp, seed) for seed in range(3))
    near = np.zeros((1, network.memory, 64, 64), np.float32)
    near[0, : len(before)] = [half_luma_of(one) for one in before]
    inputs = {"blurry": present[None].transpose(0, 3, 1, 2).astype(np.float32) / 255, "memory": near}
    inputs["validity"] = np.float32(np.arange(network.memory)[None] < len(before))
    expected = open_on_cpu(network.path.with_name("small.onnx")).run(["restored"], inputs)[0][0].transpose(1, 2, 0) * 255
    for name in ("openvino", "onnxruntime"):
        engine = open_engine(name, network)
        got = engine.infer(present[None], [[half_luma_of(one) for one in before]])[0]
        assert np.abs(got - expected.clip(0, 255)).mean() < 1.0
        engine.close()
    halved = open_on_cpu(compute_in_half(network.model_for(128), outputs=["restored"])).run(["restored"], inputs)[0]
    assert np.abs(halved[0].transpose(1, 2, 0) * 255 - expected).mean() < 0.1


@pytest.mark.parametrize("half_images", [False, True])
def test_half_precision_computes_the_same(network, exposures, half_images):
    model = compute_in_half(network.model, half_images=half_images, outputs=["restored"])
    near = np.zeros((1, network.memory, 128, 128), np.float32)
    near[0, : len(exposures) - 1] = [half_luma_of(one) for one in exposures[1:]]
    inputs = {"blurry": exposures[:1].transpose(0, 3, 1, 2).astype(np.float32) / 255, "memory": near}
    inputs["validity"] = np.float32(np.arange(network.memory)[None] < len(exposures) - 1)
    expected = open_on_cpu(network.model).run(["restored"], inputs)[0]
    halved = {name: value.astype(np.float16 if half_images else np.float32) for name, value in inputs.items()}
    got = open_on_cpu(model).run(["restored"], halved)[0].astype(np.float32)
    assert 255 * np.abs(got - expected).max() < 2.0
    assert 255 * np.abs(got - expected).mean() < 0.1


def test_spectra_stay_in_single_precision(network):
    """Those of both deconvolutions, of single frames and of several."""
    model = onnx.load_model_from_string(compute_in_half(network.model, outputs=["restored"]))
    types = {value.name: value.type.tensor_type.elem_type for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and EXACT_MODULE.search(node.name)]
    assert len(products) > 30
    assert all(types[node.output[0]] == TensorProto.FLOAT for node in products)
