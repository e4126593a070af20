"""One file for crops of several sizes: what it becomes for each size computes what the trained network does."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch

from streamdeblur.crop_sizes import SIZES, differing_constants, for_crops_of, sizes_of
from streamdeblur.engines import open_engine
from streamdeblur.errors import NetworkError
from streamdeblur.fourier_matrices import fourier_matrices
from streamdeblur.network import Network
from streamdeblur.onnx_session import open_on_cpu
from streamdeblur.training.export import export, open_trained, to_onnx
from support.models.trainings import TINY_LITE, load, train_both_steps


@pytest.fixture(scope="module")
def run(tmp_path_factory, faces):
    folder = tmp_path_factory.mktemp("run")
    config = load(
        folder / "config.yaml", "lite", TINY_LITE, {step: {"face_crops": {256: 1, 128: 1}} for step in ("hourglass", "cgan")}
    )
    train_both_steps(config, faces, folder)
    return folder / "cgan"


@pytest.fixture(scope="module", params=[pytest.param("fp32", marks=pytest.mark.slow), "fp16-stored"])
def exported(run, tmp_path_factory, request):
    return export(run, tmp_path_factory.mktemp("exports") / "network.onnx", precision=request.param)


def test_each_size_computes_what_torch_does(run, exported):
    assert exported.difference < 5e-3
    model = onnx.load(str(exported.path))
    assert sizes_of({item.key: item.value for item in model.metadata_props}) == [128]
    network, _ = open_trained(run)
    crops = np.random.default_rng(0).random((2, 3, 128, 128), np.float32)
    (got,) = open_on_cpu(for_crops_of(model, 128).SerializeToString()).run(["restored"], {"blurry": crops})
    assert np.abs(got - network(torch.from_numpy(crops))[0].numpy()).max() < 5e-3


def test_the_file_itself_is_the_network_of_256_px(exported):
    network = Network.read(exported.path)
    assert (network.crop_size, network.crop_sizes) == (256, (128, 256))
    assert network.model_for(256) == exported.path.read_bytes()


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_engines_compute_what_torch_does_for_each_size(run, exported, name):
    network, _ = open_trained(run)
    engine = open_engine(name, Network.read(exported.path))
    for size in (128, 256):
        crops = np.random.default_rng(size).integers(0, 256, (2, size, size, 3), np.uint8)
        expected = network(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)[0].permute(0, 2, 3, 1).numpy() * 255
        # bf16 has 8 bits
        assert np.abs(engine.infer(crops) - expected.clip(0, 255)).mean() < 1.5
    engine.close()


def test_a_size_costs_a_list_of_small_constants(exported):
    model = onnx.load(str(exported.path))
    listed = next(item.value for item in model.metadata_props if item.key == SIZES)
    assert 0 < len(json.loads(listed)["128"]) < 100
    assert len(listed) < 8_000


def test_matrices_are_found_by_their_content(exported):
    """Under a wrong matrix, a network of another size would still run, and return wrong images."""
    model = onnx.load(str(exported.path))
    named = {tensor.name.removeprefix("fourier.") for tensor in model.graph.initializer if tensor.name.startswith("fourier.")}
    assert named == set(fourier_matrices(8)) - {"bands"}


def test_graphs_that_differ_in_more_than_constants_are_refused(run):
    network, _ = open_trained(run)
    model = to_onnx(network)
    del model.graph.node[-1]
    with pytest.raises(NetworkError, match="another way"):
        differing_constants(to_onnx(network), model)
