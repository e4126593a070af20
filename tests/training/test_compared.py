"""The compared methods: their networks, their training, which resumes, and their export."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import InputError
from streamdeblur.training.batches import Batch, collate
from streamdeblur.training.checkpoint import read_checkpoint
from streamdeblur.training.compared.kupyn import gradient_penalty
from streamdeblur.training.compared.train import open_method, train_compared
from streamdeblur.training.compared.zhu import History
from streamdeblur.training.datasets.pair_sources import open_unpaired
from streamdeblur.training.datasets.recipe import Recipe
from streamdeblur.training.export import export, open_trained
from streamdeblur.training.loop import launch_fabric
from streamdeblur.training.networks.compared.chakrabarti import (
    SMALLEST_VARIANCE,
    ChakrabartiNetwork,
    Decorrelation,
    WindowSpectra,
)
from streamdeblur.training.networks.compared.global_kernel import deconvolved, estimated_kernel
from streamdeblur.training.networks.compared.kupyn import KupynNetwork
from streamdeblur.training.networks.compared.nah import NahNetwork
from streamdeblur.training.networks.compared.network import build_generator
from streamdeblur.training.networks.compared.presets import ChakrabartiPreset, KupynPreset, NahPreset
from streamdeblur.training.networks.deconvolution import reduced_luma
from streamdeblur.training.validation import psnr
from support.models.trainings import data_for, load, stopping_at

TINY = {
    "nah": {"channels": 4, "blocks": 1, "critic": 1},
    "kupyn": {"channels": 4, "blocks": 1, "critic": [4, 4], "critic_steps": 2},
    "zhu": {"channels": 4, "blocks": 1, "critic": [4, 4], "history": 3},
    "chakrabarti": {"units": 4, "layers": 1, "stride": 16},
}
METHODS = list(TINY)
CROP = {"chakrabarti": 96}
"""Side in pixels of the crops, where 64 is too little for a patch and its neighbours."""


def config_of(folder, name, **changes):
    settings = {
        "images": 6,
        "batch": 2,
        "crop": CROP.get(name, 64),
        "precision": "32-true",
        "validate_pairs": 1,
        "checkpoint_minutes": 1e-6,
    }
    return load(folder / "config.yaml", f"compared/{name}", {"compared": {"method": TINY[name], **settings, **changes}})


def state_of(folder):
    return read_checkpoint(folder / "checkpoint.safetensors")


def tensors(state, name=""):
    """All tensors in the state of a checkpoint, by name."""
    if isinstance(state, torch.Tensor):
        return {name: state}
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else ()
    return {key: tensor for part, value in items for key, tensor in tensors(value, f"{name}.{part}").items()}


class CutOffError(Exception):
    """A training ends here, as a kill would end it."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory, faces):
    """The run of each method, three steps long and made when it is first used, with its configuration."""

    @lru_cache
    def run(name):
        folder = tmp_path_factory.mktemp(name)
        config = config_of(folder, name)
        train_compared(config, data_for(config, "compared", faces), folder / "run")
        return config, folder / "run"

    return run


@pytest.mark.parametrize("name", METHODS)
def test_a_run_that_is_cut_off_resumes_to_the_same_state(tmp_path, faces, runs, name):
    config, whole = runs(name)
    data = data_for(config, "compared", faces)
    with pytest.raises(CutOffError):
        train_compared(config, stopping_at(4, data, CutOffError()), tmp_path)
    assert state_of(tmp_path)["images"] == 4
    train_compared(config, data, tmp_path)
    expected, resumed = tensors(state_of(whole)), tensors(state_of(tmp_path))
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[key], resumed[key]) for key in expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_may_end_with_whole_crops(tmp_path, faces, name):
    config = config_of(tmp_path, name, images=4, whole_from=0.5)
    train_compared(config, data_for(config, "compared", faces), tmp_path)
    assert state_of(tmp_path)["images"] == 4


@pytest.mark.parametrize(
    ("name", "outputs"), [(n, ["restored", "coarse"] if n == "chakrabarti" else ["restored"]) for n in METHODS]
)
def test_the_export_computes_what_torch_does_and_the_runtime_runs_it(tmp_path, faces, runs, name, outputs):
    _, run = runs(name)
    exported = export(run, tmp_path / "network.onnx", precision="fp16-stored")
    assert exported.difference < 5e-3
    network, metadata = open_trained(run)
    assert (metadata["preset"], metadata["training"]) == (name, "compared: 6 images")
    session = onnxruntime.InferenceSession(str(exported.path))
    assert [output.name for output in session.get_outputs()] == outputs
    with FaceDeblurrer(network=exported.path, engine="onnxruntime") as deblurrer:
        restored = deblurrer.restore(np.stack(faces[:1]))[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(faces[0]).permute(2, 0, 1)[None] / 255)[0][0].permute(1, 2, 0).numpy()
    assert np.abs(restored / 255.0 - expected).max() < 2e-2


@pytest.mark.parametrize(("name", "features"), [*((name, False) for name in METHODS), ("kupyn", True)])
def test_the_objective_falls_on_a_batch_that_is_repeated(tmp_path, faces, identity_network, name, features):
    settings = config_of(tmp_path, name, images=100_000, optimiser={"rate": 2e-3, "warmup": 0}).compared
    method = open_method(launch_fabric(settings, 0), settings, str(identity_network) if features else "")
    data = data_for(config_of(tmp_path, name), "compared", faces)
    batch = collate([data.training(n, 1.0, settings.crop, 256) for n in range(2)])
    steps = [method.step(batch, number, lambda losses: None) for number in range(12)]
    values = [next(losses[name] for name in ("content", "cycle", "patches") if name in losses).item() for losses in steps]
    assert np.mean(values[-3:]) < 0.97 * np.mean(values[:3])


def test_the_originals_have_as_many_weights_as_in_their_papers():
    with torch.device("meta"):
        sizes = {p.kind: sum(w.numel() for w in build_generator(p).parameters()) for p in (NahPreset(), KupynPreset())}
        filters = ChakrabartiNetwork(ChakrabartiPreset()).bands.sizes
    # 120 convolutions, as stated; 40 for each scale, the two that enlarge excluded
    assert sizes["nah"] == pytest.approx(11.7e6, rel=0.02)
    # as their programs print it
    assert sizes["kupyn"] == pytest.approx(11.378e6, rel=1e-3)
    assert filters == (81, 208, 208, 208)


def test_nah_restores_each_scale_from_the_coarser_one():
    network = NahNetwork(NahPreset(channels=4, blocks=1))
    scales = network.scales(torch.rand(2, 3, 32, 64))
    assert [tuple(image.shape[2:]) for image in scales] == [(8, 16), (16, 32), (32, 64)]
    (gradient,) = torch.autograd.grad(scales[2].sum(), network.coarsest.head.weight)
    assert gradient.any()


def test_kupyn_adds_a_correction_to_the_blurry_image():
    network = KupynNetwork(KupynPreset(channels=2, blocks=1)).eval()
    last = network.correction.layers[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    blurry = torch.rand(1, 3, 16, 16)
    assert torch.allclose(network(blurry)[0], blurry, atol=1e-6)


def test_the_gradient_penalty_is_zero_for_a_critic_of_slope_one():
    images, others = torch.rand(3, 3, 4, 4), torch.rand(3, 3, 4, 4)
    slope = 1 / 48**0.5
    assert gradient_penalty(lambda x: slope * x.sum((1, 2, 3), keepdim=True), images, others) == pytest.approx(0, abs=1e-6)
    assert gradient_penalty(lambda x: 3 * slope * x.sum((1, 2, 3), keepdim=True), images, others) == pytest.approx(4, rel=1e-5)


def test_a_history_returns_new_images_until_it_is_full_and_then_half_of_them():
    history = History(4)
    first = torch.arange(4.0)[:, None, None, None].expand(4, 3, 2, 2)
    assert torch.equal(history(first), first)
    later = torch.arange(4.0, 104.0)[:, None, None, None].expand(100, 3, 2, 2)
    returned = history(later)
    former = (returned != later).all((1, 2, 3))
    assert 30 < former.sum() < 70
    # each was in the history before
    assert (returned[former] < later[former]).all()
    assert History(0)(later).equal(later)


def test_windows_have_the_spectra_of_fourier_transforms():
    planes = torch.rand(1, 1, 22, 27)
    spectra = WindowSpectra(9, 4, 4)(planes)
    assert spectra.shape == (1, 5, 9, 2, 4, 5)
    window = np.fft.ifftshift(planes[0, 0, 8:17, 12:21].numpy())
    expected = np.fft.fftshift(np.fft.fft2(window), axes=0)[:, :5].T / 9
    assert np.allclose(spectra[0, :, :, 0, 2, 3].numpy() + 1j * spectra[0, :, :, 1, 2, 3].numpy(), expected, atol=1e-5)


def test_the_reduced_networks_have_room_for_the_picture(tmp_path):
    """Without a skip from input to output, each layer must have as many channels as the pixels under it have values."""
    nah, zhu = (load(tmp_path / "config.yaml", f"compared/{name}").compared.method for name in ("nah", "zhu"))
    assert nah.channels >= 3 * nah.patch**2
    # a quarter of the resolution, where the channels are four times as many
    assert 4 * zhu.channels >= 3 * 4**2


def test_patches_that_are_left_as_they_are_average_to_the_image():
    network = ChakrabartiNetwork(ChakrabartiPreset(units=2, layers=1, stride=16))
    luma = torch.rand(1, 1, 80, 96)
    padded = F.pad(luma, (16, 17, 16, 17))
    patches = F.unfold(padded, 33, stride=16).reshape(1, 33, 33, 6, 7)
    assert torch.allclose(network.average(patches), luma, atol=1e-5)


def test_a_filter_of_one_gives_the_patch_without_its_mean():
    network = ChakrabartiNetwork(ChakrabartiPreset(units=2, layers=1, stride=16)).eval()
    with torch.no_grad():
        network.prediction.head.bias.view(33, 65, 2)[..., 0] = 1
    luma = torch.rand(1, 1, 97, 81)
    means = F.unfold(luma, 65, stride=16).mean(1).reshape(1, 1, 1, 3, 2)
    middles = F.unfold(luma[..., 16:-16, 16:-16], 33, stride=16).reshape(1, 33, 33, 3, 2)
    assert torch.allclose(network.corrections(luma), middles - means, atol=1e-5)


def test_the_kernel_of_a_crop_is_found_from_its_sharp_image_and_inverted(faces):
    sharp = reduced_luma(torch.from_numpy(faces[0]).permute(2, 0, 1)[None] / 255, 1)
    kernel = torch.zeros(1, 1, 41, 41)
    kernel[0, 0, 20, 12:29] = 1 / 17
    blurry = F.conv2d(F.pad(sharp, (20,) * 4, mode="replicate"), kernel)
    found = estimated_kernel(blurry, sharp)
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert F.cosine_similarity(found.flatten(), kernel.flatten(), 0) > 0.9
    assert psnr(deconvolved(blurry, found), sharp) > psnr(blurry, sharp) + 3
    flat = torch.full_like(blurry, 0.5)
    assert torch.allclose(deconvolved(flat, estimated_kernel(flat, flat)), flat, atol=1e-3)


def test_coefficients_that_correlate_are_decorrelated_by_all_batches():
    torch.manual_seed(0)
    mixed = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [20.0, 0.0, 5.0]])
    batches = [torch.einsum("ij,njhw->nihw", mixed, torch.randn(4, 3, 16, 16)) + torch.tensor([1.0, 2.0, 3.0])[:, None, None]
               for _ in range(4)]  # fmt: skip
    layer = Decorrelation(3).train()
    for batch in batches:
        layer(batch)
    samples = torch.cat(batches).transpose(0, 1).flatten(1).double().numpy()
    deviation = samples.std(1)
    variances, directions = np.linalg.eigh(np.corrcoef(samples))
    expected = (directions / np.sqrt(variances + SMALLEST_VARIANCE) @ directions.T / deviation) @ (
        samples - samples.mean(1)[:, None]
    )
    found = layer.eval()(torch.cat(batches)).transpose(0, 1).flatten(1).numpy()
    assert np.abs(found - expected).max() < 2e-3
    assert np.abs(np.corrcoef(found) - np.eye(3)).max() < 0.1 < np.abs(np.corrcoef(samples) - np.eye(3)).max()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(batches[0])
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_perceptual_loss_reaches_the_generator(tmp_path, identity_network):
    settings = config_of(tmp_path, "kupyn").compared
    method = open_method(launch_fabric(settings, 0), settings, str(identity_network))
    before = {name: weight.clone() for name, weight in method.generator.named_parameters()}
    images = torch.rand(2, 3, 64, 64)
    method.step(Batch(images, images.flip(3), torch.zeros(2, 1, 41, 41)), 0, lambda losses: None)
    assert all(not torch.equal(weight, before[name]) for name, weight in method.generator.named_parameters() if weight.ndim > 1)


def test_a_discriminator_that_is_sure_does_not_lead_nah(tmp_path):
    images = torch.rand(2, 3, 64, 64)
    trained = []
    for weight in (0, 1000):
        settings = config_of(tmp_path, "nah", method={**TINY["nah"], "adversarial": weight}).compared
        torch.manual_seed(0)
        method = open_method(launch_fabric(settings, 0), settings, "")
        torch.nn.init.constant_(method._critic.verdict.bias, -90)
        losses = method.step(Batch(images, images.flip(3), torch.zeros(2, 1, 41, 41)), 0, lambda losses: None)
        assert weight == 0 or losses["discriminator"] > 80  # it takes the sharp images for restored ones as well
        trained.append(torch.cat([values.flatten() for values in method.generator.parameters()]))
    assert torch.equal(*trained)


def test_images_that_are_not_paired_are_of_different_people(tmp_path):
    shades = dict(zip("abcd", (40, 90, 140, 190), strict=True))
    for name, shade in shades.items():
        for number in range(2):
            Image.new("RGB", (256, 256), (shade,) * 3).save(tmp_path / f"{name}{number}.png")
    rows = "".join(f"{name}{number}.png,{name}\n" for name in shades for number in range(2))
    (tmp_path.parent / f"{tmp_path.name}.csv").write_text(f"file,identity\n{rows}")
    recipe = Recipe(mix={"synthetic": 1}, severity=0)
    source = open_unpaired([tmp_path], [], recipe, 0)
    pairs = [source.pair(n, 0.0, 64, 64) for n in range(24)]
    assert {int(pair.blurry.mean().round()) for pair in pairs} == {40, 140}
    assert {int(pair.sharp.mean().round()) for pair in pairs} == {90, 190}
    # and the same two do not meet each time
    assert len({(int(pair.blurry.mean().round()), int(pair.sharp.mean().round())) for pair in pairs}) == 4


def test_images_of_one_person_cannot_be_unpaired(tmp_path):
    Image.new("RGB", (256, 256)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="two people"):
        open_unpaired([tmp_path], [], Recipe(), 0)
