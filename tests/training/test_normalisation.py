"""Batch normalisation that an export fused works again in a training that starts from the exported file."""

from __future__ import annotations

import copy

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.ema import EMA
from streamdeblur.training.export import export
from streamdeblur.training.hourglass import train_hourglass
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.normalisation import renew_fused_normalisation
from streamdeblur.training.weights import load_weights
from support.models.trainings import TINY_PAPER, data_for, load


@pytest.fixture(scope="module")
def exported(tmp_path_factory, faces):
    """The hourglass of the smallest `paper` after two steps, as an exported file, and its settings."""
    folder = tmp_path_factory.mktemp("paper")
    config = load(folder / "config.yaml", "paper", TINY_PAPER)
    train_hourglass(config, data_for(config, "hourglass", faces), folder / "run")
    export(folder / "run", folder / "hourglass.onnx")
    return folder / "hourglass.onnx", config


def distance(network, other, images):
    """The mean absolute difference of what two networks make of images."""
    with torch.no_grad():
        return float((network(images)[0] - other(images)[0]).abs().mean())


def test_fused_normalisation_changes_nothing_at_prediction_and_hardly_anything_in_training(exported):
    path, config = exported
    images = torch.rand(4, 3, 64, 64)
    fused = Hourglass(config.network.hourglass)
    load_weights(fused, path, "hourglass")
    renewed = copy.deepcopy(fused).train()
    ema = EMA(renewed, 0.9)
    renew_fused_normalisation(Fabric(accelerator="cpu"), renewed, ema, lambda: renewed.forward(images))
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in renewed.modules())
    expected = copy.deepcopy(fused).eval()
    assert distance(ema.network, expected, images) < 1e-5
    assert distance(copy.deepcopy(renewed).train(), expected, images) < 1e-4 < distance(fused.train(), expected, images)


def test_both_steps_renew_the_normalisation_of_the_hourglass_that_they_train(tmp_path, exported, faces):
    path, config = exported
    ablation = load(tmp_path / "config.yaml", "ablations/hg-disc", TINY_PAPER)
    train_hourglass(config, data_for(config, "hourglass", faces), tmp_path / "hourglass", init=path)
    train_cgan(ablation, data_for(ablation, "cgan", faces), tmp_path / "cgan", init=path)
    for step in ("hourglass", "cgan"):
        again = Hourglass(config.network.hourglass)
        load_weights(again, tmp_path / step, "hourglass")
        scales = [layer.weight.detach() for layer in again.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert scales
        assert all(float((scale - 1).abs().max()) > 0.1 for scale in scales)
