"""A network that restores a crop with its neighbours, from its training to its file."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from streamdeblur.errors import OptionError
from streamdeblur.network import Network
from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.checkpoint import read_checkpoint
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from streamdeblur.training.export import export, open_trained
from streamdeblur.training.loop import TrainingData
from streamdeblur.training.weights import read_exported_weights
from support.models.trainings import TINY_LITE, load, merged, train_both_steps

DECONVOLUTION = {"channels": 4, "kernel_channels": 4, "kernel_blocks": 1}
TINY_STREAM = merged(
    TINY_LITE,
    {
        "network": {
            "draft": {**deepcopy(TINY_LITE["network"]["generator"]), "deconvolution": {**DECONVOLUTION}},
            "generator": {"deconvolution": {**DECONVOLUTION, "memory": 2}},
        }
    },
)


@pytest.fixture(scope="module")
def single(made_once, faces):
    """A trained network of single frames, as a file."""

    def fill(folder):
        config = load(
            folder / "config.yaml", "lite", merged(TINY_LITE, {"network": {"generator": {"deconvolution": {**DECONVOLUTION}}}})
        )
        train_both_steps(config, faces, folder)
        export(folder / "cgan", folder / "single.onnx")

    return made_once("a network of single frames", fill) / "single.onnx"


@pytest.fixture(scope="module")
def run(made_once, faces, single):
    """A network with a memory that was trained from it."""

    def fill(folder):
        config = load(folder / "config.yaml", "stream", TINY_STREAM)
        train_cgan(config, sequences(config, faces), folder / "run", single, single)

    return made_once("a network with a memory", fill) / "run"


def sequences(config, faces):
    recipe = config.recipe_of(config.cgan)
    recipe = recipe.model_copy(update={"mix": {scheme: float(not scheme.averages) for scheme in recipe.mix}})
    memory = config.network.generator.memory
    return TrainingData(*(SequenceMaker(faces, [], recipe, config.seed + n, memory=memory).sequence for n in (0, 1)))


@pytest.fixture(scope="module")
def session(run, tmp_path_factory):
    path = export(run, tmp_path_factory.mktemp("export") / "stream.onnx").path
    return onnxruntime.InferenceSession(str(path)), Network.read(path)


def test_the_network_of_single_frames_is_not_changed(run, single):
    state = read_checkpoint(run / "checkpoint.safetensors")
    for part, name in (("draft", "generator"), ("hourglass", "hourglass")):
        given = read_exported_weights(single, name)
        assert given
        assert all(torch.equal(state[part][key], value) for key, value in given.items())


def test_the_generator_began_as_the_one_of_single_frames_and_has_learned(run, single):
    network, _ = open_trained(run)
    given, learned = read_exported_weights(single, "generator"), network.generator.state_dict()
    own = {name for name in learned if name.startswith(("confidence.", "deconvolution.trust"))}
    assert set(learned) - set(given) == own
    changes = [float((value - given[name]).abs().max()) for name, value in learned.items() if name not in own]
    assert 0.0 < max(changes) < 0.5


def test_the_file_holds_its_memory_and_computes_what_torch_does(run, session):
    opened, description = session
    assert description.memory == 2
    assert [value.name for value in opened.get_inputs()] == ["blurry", "memory", "validity"]
    assert [value.name for value in opened.get_outputs()] == ["restored", "coarse", "confidence"]
    random = np.random.default_rng(2)
    inputs = {
        "blurry": random.random((2, 3, 256, 256), np.float32),
        "memory": random.random((2, 2, 128, 128), np.float32),
        "validity": np.array([[1, 0], [1, 1]], np.float32),
    }
    network, _ = open_trained(run)
    for got, expected in zip(opened.run(None, inputs), network(*map(torch.from_numpy, inputs.values())), strict=True):
        assert np.abs(got - expected.numpy()).max() < 1e-4


def test_what_is_not_valid_does_not_matter(session):
    random = np.random.default_rng(2)
    blurry, validity = random.random((1, 3, 256, 256), np.float32), np.zeros((1, 2), np.float32)
    one, other = (
        session[0].run(["restored"], {"blurry": blurry, "memory": memory, "validity": validity})[0]
        for memory in (np.zeros((1, 2, 128, 128), np.float32), random.random((1, 2, 128, 128), np.float32))
    )
    assert np.array_equal(one, other)


def test_the_confidence_is_a_share(session):
    blurry = np.random.default_rng(2).random((3, 3, 256, 256), np.float32)
    inputs = {"blurry": blurry, "memory": np.zeros((3, 2, 128, 128), np.float32), "validity": np.zeros((3, 2), np.float32)}
    (confidence,) = session[0].run(["confidence"], inputs)
    assert confidence.shape == (3,)
    assert confidence.min() > 0.0
    assert confidence.max() < 1.0


def test_a_draft_needs_a_whole_network(tmp_path, faces, single):
    config = load(tmp_path / "config.yaml", "stream", TINY_STREAM)
    hourglass_only = single.parent / "hourglass"
    with pytest.raises(OptionError, match="exported ONNX file"):
        train_cgan(config, sequences(config, faces), tmp_path / "run", hourglass_only)


def test_the_graph_has_one_copy_of_each_transform(run, tmp_path):
    """Two deconvolutions of one size share the constant matrices of their transforms."""
    model = onnx.load(str(export(run, tmp_path / "stream.onnx").path))
    large = [tensor.raw_data for tensor in model.graph.initializer if len(tensor.raw_data) > 100_000]
    assert len(large) == len(set(large))
