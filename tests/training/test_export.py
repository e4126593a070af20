"""An export computes what the trained network does, and the runtime runs it."""

from __future__ import annotations

import json
import shutil
from functools import lru_cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import NetworkError, OutputError
from streamdeblur.network import Network
from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.checkpoint import read_checkpoint, write_checkpoint
from streamdeblur.training.export import export, open_trained
from streamdeblur.training.run import CHECKPOINT
from streamdeblur.training.weights import averaged_weights, read_exported_weights
from support.models.trainings import TINY_LITE, TINY_PAPER, data_for, load, train_both_steps


@pytest.fixture(scope="module", params=["lite", pytest.param("paper", marks=pytest.mark.slow)])
def run(request, made_once, faces):
    def fill(folder):
        config = load(folder / "config.yaml", request.param, {"lite": TINY_LITE, "paper": TINY_PAPER}[request.param])
        train_both_steps(config, faces, folder)

    return made_once(f"{request.param} to export", fill) / "cgan"


@pytest.fixture(scope="module")
def exports(run, tmp_path_factory):
    """The export of each precision with a model card, made when it is first used."""
    folder = tmp_path_factory.mktemp("exports")
    card = folder / "card.md"
    card.write_text("# A card\n")
    return lru_cache(lambda precision: export(run, folder / f"{precision}.onnx", precision=precision, card=card, licence="CC0"))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16-stored", 5e-3), ("fp16", 1e-2)])
def test_the_graph_computes_what_torch_does(run, exports, precision, tolerance):
    exported = exports(precision)
    assert exported.difference < tolerance
    network, _ = open_trained(run)
    blurry = np.random.default_rng(1).random((3, 3, 256, 256), np.float32)
    session = onnxruntime.InferenceSession(str(exported.path))
    assert [output.name for output in session.get_outputs()] == ["restored", "coarse"]
    for image, expected in zip(session.run(None, {"blurry": blurry}), network(torch.from_numpy(blurry)), strict=True):
        assert np.abs(image - expected.numpy()).max() < tolerance


def test_a_network_that_returns_nan_is_not_exported(run, tmp_path):
    state = read_checkpoint(run / CHECKPOINT)
    for weights in averaged_weights(state).values():
        weights[...] = torch.nan
    damaged = shutil.copytree(run, tmp_path / "run")
    write_checkpoint(damaged / CHECKPOINT, state)
    with pytest.raises(NetworkError, match="not finite; nothing was written"):
        export(damaged, tmp_path / "nan.onnx")
    assert not (tmp_path / "nan.onnx").exists()


def test_the_graph_has_no_parts_that_only_training_uses(exports):
    graph = onnx.load(str(exports("fp32").path)).graph
    assert "Dropout" not in {node.op_type for node in graph.node}
    assert not [tensor.name for tensor in graph.initializer if "sharp_encoder" in tensor.name]


def test_half_precision_halves_the_file(exports):
    whole, *halves = (exports(precision).bytes for precision in ("fp32", "fp16-stored", "fp16"))
    assert halves[0] < 0.8 * whole
    assert halves[1] < whole


def test_at_half_precision_the_graph_computes_in_it_and_its_images_stay_float32(exports):
    graph = onnx.load(str(exports("fp16").path)).graph
    assert {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)} == {onnx.TensorProto.FLOAT}
    weights = {tensor.name: tensor.data_type for tensor in graph.initializer}
    types = [weights[node.input[1]] for node in graph.node if node.op_type == "Conv" and node.input[1] in weights]
    assert types.count(onnx.TensorProto.FLOAT16) > len(types) / 2


def test_a_network_at_half_precision_can_be_trained_on(exports):
    whole, half = (read_exported_weights(exports(precision).path, "hourglass") for precision in ("fp32", "fp16"))
    assert whole.keys() == half.keys()
    assert all(np.allclose(whole[name], half[name], rtol=1e-3, atol=1e-4) for name in whole)


def test_the_runtime_reads_its_metadata_and_runs_it(exports, faces):
    path = exports("fp32").path
    network = Network.read(path)
    assert (network.crop_size, network.window_scale, network.licence) == (256, 1.7, "CC0")
    assert network.training == f"cgan: {8 if network.preset == 'lite' else 4} images"
    metadata = {item.key: item.value for item in onnx.load(str(path)).metadata_props}
    assert metadata["model_card"] == "# A card\n"
    assert json.loads(metadata["config"])["network"]["name"] == network.preset
    with FaceDeblurrer(network=path) as deblurrer:
        assert deblurrer.restore(np.stack(faces[:1])).shape == (1, 256, 256, 3)


def test_the_files_of_the_run_and_the_card_are_not_replaced(tmp_path, run):
    card, link = tmp_path / "card.md", tmp_path / "link.onnx"
    card.write_text("# A card")
    link.symlink_to(run / "checkpoint.safetensors")
    for target in (card, link, run / "config.json"):
        before = target.read_bytes()
        with pytest.raises(OutputError, match="is the input itself"):
            export(run, target, card=card)
        assert target.read_bytes() == before


def test_a_folder_that_does_not_exist_is_refused(tmp_path, run):
    with pytest.raises(OutputError, match="does not exist"):
        export(run, tmp_path / "absent" / "network.onnx")


@pytest.fixture(scope="module")
def luma_alone(tmp_path_factory, faces):
    """The export of a network that sees the blurry image alone, and whose last layer gives luma alone."""
    folder = tmp_path_factory.mktemp("luma")
    luma = {"network": {"generator": {"output": "luma"}}}
    config = load(folder / "config.yaml", "ablations/cgan-no-hg", TINY_PAPER, luma)
    train_cgan(config, data_for(config, "cgan", faces), folder / "run")
    return export(folder / "run", folder / "network.onnx").path


def test_a_network_without_a_hourglass_carries_none(luma_alone, faces):
    graph = onnx.load(str(luma_alone)).graph
    assert [output.name for output in graph.output] == ["restored"]
    # the encoder and the decoder of Table 3 have eight layers each
    operators = [node.op_type for node in graph.node]
    assert (operators.count("Conv"), operators.count("ConvTranspose")) == (8, 8)
    assert {tensor.name.split(".")[0] for tensor in graph.initializer if "." in tensor.name} == {"generator"}
    with FaceDeblurrer(network=luma_alone) as deblurrer:
        assert deblurrer.restore(np.stack(faces[:1])).shape == (1, 256, 256, 3)


def test_a_network_of_luma_keeps_the_chroma_of_its_input(luma_alone):
    blurry = np.random.default_rng(1).random((1, 3, 256, 256), np.float32)
    restored = onnxruntime.InferenceSession(str(luma_alone)).run(None, {"blurry": blurry})[0]
    inside = ((restored > 0) & (restored < 1)).all(1)
    assert inside.mean() > 0.05
    difference = (restored - blurry).transpose(0, 2, 3, 1)[inside]
    assert np.abs(difference).max() > 0.01
    assert np.ptp(difference, axis=1).max() < 1e-5, "red, green and blue change alike"
