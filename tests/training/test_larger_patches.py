"""Networks that take patches of 8 px: they begin as those of 4 px on crops of half the size, and learn from a teacher."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import streamdeblur
from streamdeblur.errors import InputError, NetworkError, OptionError
from streamdeblur.training.batches import Batch
from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.config import TrainingConfig
from streamdeblur.training.export import export, open_trained
from streamdeblur.training.hourglass import train_hourglass
from streamdeblur.training.losses import relative_charbonnier
from streamdeblur.training.networks import deconvolution
from streamdeblur.training.networks.generator import Restored, TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.pathways import PathwayOutputs
from streamdeblur.training.networks.presets import NetworkPreset
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.training.objectives import generator_losses
from streamdeblur.training.teacher import open_teacher
from streamdeblur.training.weights import load_weights
from support.models.networks import write_network
from support.models.trainings import TINY_LITE, data_for, load, train_both_steps

CPU = torch.device("cpu")
PATCHES = {"network": {"hourglass": {"patch": 8}, "generator": {"patch": 8}}}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load(tmp_path_factory.mktemp("config") / "config.yaml", "lite", TINY_LITE)


@pytest.fixture(scope="module")
def runs(made_once, config, faces):
    def fill(folder):
        train_both_steps(config, faces, folder)
        export(folder / "cgan", folder / "teacher.onnx")

    return made_once("networks with small patches", fill)


def small_network(runs, folder, fine=0):
    """The network with larger patches, with the weights of the teacher."""
    config = load(folder / "config.yaml", "lite", TINY_LITE, PATCHES, {"network": {"generator": {"fine_width": fine}}})
    hourglass = Hourglass(config.network.hourglass)
    generator = TwoPathGenerator(config.network.generator, config.network.hourglass.code)
    load_weights(hourglass, runs / "teacher.onnx", "hourglass")
    load_weights(generator, runs / "teacher.onnx", "generator")
    return TwoStepNetwork(hourglass, generator).eval()


@pytest.mark.parametrize("fine", [0, 4], ids=["one last layer", "fine stage"])
@torch.no_grad()
def test_weights_for_smaller_patches_do_the_same_at_half_of_the_size(runs, tmp_path, monkeypatch, fine):
    """What is added to a crop is what the other network adds to the crop of half the size, each pixel four times."""
    monkeypatch.setattr(deconvolution, "QUARTER_SIDE", deconvolution.KERNEL_SIDE)
    network, other = small_network(runs, tmp_path, fine), open_trained(runs / "cgan")[0]
    smooth = F.interpolate(0.3 + 0.4 * torch.rand(2, 3, 16, 16), scale_factor=8, mode="bilinear")
    reduced = F.avg_pool2d(smooth, 2)
    added, expected = network(smooth)[0] - smooth, other(reduced)[0] - reduced
    assert expected.abs().max() > 1e-4
    assert torch.allclose(added, F.interpolate(expected, scale_factor=2.0), atol=1e-6)


@torch.no_grad()
def test_a_fine_stage_sees_each_pixel_of_the_blurry_crop(runs, tmp_path):
    """A pixel changes what is added around its patch of 4 px, once the last layer is not zero, and nothing far away."""
    network, crops = small_network(runs, tmp_path, fine=4), torch.rand(1, 3, 128, 128)
    stage = network.generator.decoder.fine
    torch.nn.init.normal_(stage.head.weight)
    features, deconvolved, code = torch.rand(1, 8, 16, 16), torch.rand(1, 2, 32, 32), network.hourglass.blur_code(crops)
    other = crops.clone()
    other[..., 32, 32] += 0.5
    before, after = (stage(features, code, [images, deconvolved]) for images in (crops, other))
    changed = (after - before).abs().sum(1)[0]
    assert changed[32:36, 32:36].min() > 0
    assert changed[:24].max() == changed[48:].max() == 0


def test_it_trains_from_them_and_is_exported(runs, faces, tmp_path):
    fine = {"network": {"generator": {"fine_width": 4}}}
    distilled = {"cgan": {"weights": {"teacher": 1.0}, "face_crops": {256: 1, 128: 1}}}
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, PATCHES, fine, distilled)
    teacher = runs / "teacher.onnx"
    train_hourglass(config, data_for(config, "hourglass", faces), tmp_path / "hourglass", runs / "hourglass")
    train_cgan(config, data_for(config, "cgan", faces), tmp_path / "cgan", tmp_path / "hourglass", teacher, teacher=teacher)
    assert export(tmp_path / "cgan", tmp_path / "network.onnx").difference < 1e-4


def test_a_teacher_restores_as_its_file_does(runs):
    crops = torch.rand(1, 3, 128, 128)
    assert torch.equal(open_teacher(runs / "teacher.onnx", CPU)(crops), open_trained(runs / "cgan")[0](crops)[0])


def test_what_a_teacher_restores_is_a_target_beside_the_sharp_images(runs, tmp_path):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, {"cgan": {"weights": {"teacher": 2.0}}})
    teacher, crops = open_teacher(runs / "teacher.onnx", CPU), torch.rand(1, 3, 64, 64)
    batch, taught = Batch(crops, crops.flip(3), torch.zeros(1, 1, 41, 41)), teacher(crops)

    def terms(images):
        outputs = PathwayOutputs(Restored(images), None)
        return generator_losses(config.cgan, batch, outputs, torch.nn.Identity(), None, teacher)

    assert terms(taught)["teacher"].item() == 0.0
    assert terms(taught)["content"].item() > 0.0
    expected = 2.0 * relative_charbonnier(batch.sharp, taught, crops)
    assert terms(batch.sharp)["teacher"].item() == pytest.approx(expected.item())
    assert terms(batch.sharp)["content"].item() == 0.0


def test_a_teacher_that_is_none_is_refused(runs, faces, tmp_path):
    config = load(tmp_path / "config.yaml", "lite", TINY_LITE, {"cgan": {"weights": {"teacher": 1.0}}})
    with pytest.raises(OptionError, match="--teacher"):
        train_cgan(config, data_for(config, "cgan", faces), tmp_path / "run", runs / "hourglass")
    with pytest.raises(InputError, match="export"):
        open_teacher(write_network(tmp_path / "other.onnx", "identity"), CPU)


def test_parts_with_different_patches_are_refused():
    modulated = {"kind": "modulated"}
    with pytest.raises(OptionError, match="patches of one size"):
        NetworkPreset(hourglass=modulated | {"patch": 8}, generator={"kind": "unet", "widths": (32, 64, 128)})
    with pytest.raises(OptionError, match="last stage"):
        NetworkPreset(hourglass=modulated, generator={"kind": "unet", "fine_width": 8})
    with pytest.raises(OptionError, match="half of the resolution"):
        NetworkPreset(hourglass=modulated | {"patch": 8}, generator={"kind": "unet", "patch": 8, "deconvolution": {"memory": 2}})


def test_weights_for_larger_patches_do_not_fit_smaller_ones(runs, config, faces, tmp_path):
    small = load(tmp_path / "config.yaml", "lite", TINY_LITE, PATCHES)
    train_hourglass(small, data_for(small, "hourglass", faces), tmp_path / "hourglass")
    with pytest.raises(NetworkError, match="shape"):
        load_weights(Hourglass(config.network.hourglass), tmp_path / "hourglass", "hourglass")


@pytest.mark.parametrize("name", ["lite", "stream"])
def test_shipped_networks_can_teach(name):
    crops = torch.rand(1, 3, 64, 64)
    assert open_teacher(Path(streamdeblur.__file__).parent / f"weights/{name}.onnx", CPU)(crops).shape == crops.shape


def test_the_shipped_configuration_is_one_of_them():
    network = TrainingConfig.load(Path("nano")).network
    assert (network.hourglass.patch, network.generator.patch, network.generator.memory) == (8, 8, 0)
