"""The deconvolution inside the generator: least squares recover a kernel, the Wiener filter inverts it, all of it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamdeblur.errors import OptionError
from streamdeblur.fourier_matrices import KERNEL_SIDE
from streamdeblur.training.blur.trajectories import sample_kernel
from streamdeblur.training.networks.deconvolution import (
    ROOT_OFFSET,
    Deconvolution,
    Memory,
    apply_responses,
    half_luma,
    invert_responses,
    laplacian,
    reduced_kernels,
)
from streamdeblur.training.networks.fourier import fourier, times
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.presets import DeconvolutionPreset, GeneratorPreset

CPU = torch.device("cpu")
TINY = DeconvolutionPreset(channels=4, kernel_channels=8, kernel_blocks=2)


@pytest.fixture
def luma(photograph):
    """float32 [1, 1, 96, 96]: faces of the group photograph."""
    part = torch.from_numpy(photograph[150:342, 400:592].copy()).permute(2, 0, 1)[None].float() / 255
    return half_luma(part)


def test_half_luma_is_the_mean_of_four_pixels():
    images = torch.rand(2, 3, 8, 12)
    expected = (images * torch.tensor((0.299, 0.587, 0.114))[None, :, None, None]).sum(1, keepdim=True)
    expected = expected.reshape(2, 1, 4, 2, 6, 2).mean((3, 5))
    assert torch.allclose(half_luma(images), expected, atol=1e-6)


def test_responses_are_inverted_except_near_black():
    codes = torch.linspace(0, 1, 256)[None, None, None]
    difference = (invert_responses(apply_responses(codes)) - codes).abs()
    assert difference.max() <= ROOT_OFFSET**0.5 + 1e-6
    assert difference[..., 16:].max() <= 1e-3


def test_the_laplacian_is_that_of_the_transforms():
    transforms, plane = fourier(32, CPU), torch.rand(1, 1, 32, 32)
    expected = transforms.planes(transforms.spectrum(plane) * transforms.laplacian)
    assert torch.allclose(laplacian(plane)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-5)


def test_half_resolution_keeps_a_kernels_sum_and_centre():
    kernel = torch.from_numpy(sample_kernel(np.random.default_rng(3), 20.0))[None]
    small = reduced_kernels(kernel[None], 2)
    assert small.shape == (1, 1, KERNEL_SIDE, KERNEL_SIDE)
    assert small.sum().item() == pytest.approx(1.0, abs=0.01)
    places = torch.arange(41.0) - 20
    assert (small[0, 0].sum(0) @ (places[10:31])).item() == pytest.approx((kernel[0].sum(0) @ places).item() / 2, abs=0.1)


def test_a_known_kernel_is_undone(luma):
    """Least squares recover the kernel from a picture and its blurred version, and the Wiener filter inverts it."""
    deconvolution = Deconvolution(TINY, 2).eval()
    with torch.no_grad():
        deconvolution.ridges.fill_(-7.0)
        deconvolution.noise[:, 0] = -9.0
    transforms = fourier(luma.shape[-1], CPU)
    kernel = reduced_kernels(torch.from_numpy(sample_kernel(np.random.default_rng(5), 16.0))[None, None], 2)
    sharp = apply_responses(luma)
    blurred = times(transforms.kernel_spectrum(kernel), transforms.spectrum(sharp))
    found = deconvolution._least_squares(transforms, blurred[:, None], transforms.spectrum(laplacian(sharp))).squeeze(1)
    cosines = torch.cosine_similarity(found.flatten(2), kernel.flatten(2), dim=2)
    assert cosines.min() > 0.95, "under both responses, with every ridge"
    blurry = transforms.planes(blurred)
    restored = deconvolution._wiener(transforms, blurred[:, None], blurry, kernel[:, None], None)
    inner = (..., slice(10, -10), slice(10, -10))
    before, after = ((planes - sharp)[inner].square().mean() for planes in (blurry, restored))
    assert after < before / 20


def test_the_kernel_is_not_negative_and_of_sum_one_for_any_input():
    planes, kernel = Deconvolution(TINY, 2)(torch.rand(3, 3, 64, 64), torch.rand(3, 3, 64, 64))
    assert planes.shape == (3, 2, 32, 32)
    assert kernel.shape == (3, 1, KERNEL_SIDE, KERNEL_SIDE)
    assert kernel.min() >= 0
    assert torch.allclose(kernel.sum((1, 2, 3)), torch.ones(3), atol=1e-5)


def test_flat_crops_give_finite_outputs():
    for value in (0.0, 1.0):
        flat = torch.full((1, 3, 64, 64), value)
        planes, kernel = Deconvolution(TINY, 2)(flat, flat)
        assert torch.isfinite(planes).all()
        assert torch.isfinite(kernel).all()
        assert torch.allclose(planes, torch.full_like(planes, value), atol=0.02)


def test_gradients_of_the_restored_image_reach_every_weight():
    torch.manual_seed(0)
    preset = GeneratorPreset(kind="unet", widths=(8, 8, 8), encoder_blocks=(1, 1, 1), deconvolution=TINY, sharp_pathway=False)
    generator = TwoPathGenerator(preset, 8)
    for weights in generator.parameters():
        if not weights.any():
            torch.nn.init.normal_(weights, 0.0, 0.1)
    restored = generator.restore(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64), torch.rand(1, 8))
    assert restored.deconvolved is not None
    restored.images.square().sum().backward()
    assert all(weights.grad is not None and weights.grad.any() for weights in generator.deconvolution.parameters())


def test_a_deconvolution_needs_a_coarse_image():
    for change in ({"kind": "table3"}, {"kind": "unet", "conditioned": False}):
        with pytest.raises(OptionError, match="needs a coarse image"):
            GeneratorPreset(deconvolution=TINY, **change)


MEMORY = TINY.model_copy(update={"memory": 2})


@pytest.fixture
def joint():
    """A deconvolution with a memory whose weights are not the initial ones."""
    deconvolution = Deconvolution(MEMORY, 2).eval()
    for weights in deconvolution.parameters():
        if not weights.any():
            torch.nn.init.normal_(weights, 0.0, 0.1)
    return deconvolution


def test_a_memory_without_valid_entries_changes_nothing(joint):
    blurry, coarse = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    alone = joint(blurry, coarse)
    forgotten = joint(blurry, coarse, Memory(torch.rand(2, 2, 32, 32), torch.zeros(2, 2)))
    assert torch.equal(alone.planes, forgotten.planes)
    assert torch.equal(alone.kernels[:, :1], forgotten.kernels[:, :1])


def test_the_order_of_a_memory_does_not_matter(joint):
    blurry, coarse, earlier = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64), torch.rand(1, 2, 32, 32)
    one, other = (joint(blurry, coarse, Memory(memory, torch.ones(1, 2))).planes for memory in (earlier, earlier.flip(1)))
    assert torch.allclose(one, other, atol=1e-4)


def test_another_exposure_restores_what_the_present_one_destroyed(luma):
    """Blur along x destroys what blur along y has kept."""
    deconvolution = Deconvolution(MEMORY, 2).eval()
    with torch.no_grad():
        deconvolution.noise[:, 0] = -9.0
    kernels = torch.zeros(1, 2, 1, KERNEL_SIDE, KERNEL_SIDE)
    kernels[0, 0, 0, KERNEL_SIDE // 2, 6:15] = 1 / 9
    kernels[0, 1, 0, 6:15, KERNEL_SIDE // 2] = 1 / 9
    transforms, sharp = fourier(luma.shape[-1], CPU), apply_responses(luma)
    exposures = times(transforms.kernel_spectrum(kernels), transforms.spectrum(sharp)[:, None])
    exposures = exposures + 2e-3 * torch.randn_like(exposures)
    blurry = transforms.planes(exposures[:, 0])
    alone = deconvolution._wiener(transforms, exposures[:, :1], blurry, kernels[:, :1], torch.ones(1, 0))
    both = deconvolution._wiener(transforms, exposures, blurry, kernels, torch.ones(1, 1))
    inner = (..., slice(10, -10), slice(10, -10))
    errors = [(planes - sharp)[inner].square().mean() for planes in (blurry, alone, both)]
    assert errors[1] < errors[0]
    assert errors[2] < errors[1] / 2


def test_an_exposure_that_its_kernel_does_not_explain_gets_little_trust(luma):
    deconvolution = Deconvolution(MEMORY, 2).eval()
    transforms, sharp = fourier(luma.shape[-1], CPU), transforms_of(luma)
    same, foreign = 0.01 * sharp, sharp - transforms.spectrum(apply_responses(luma.flip(-1)))
    trust = deconvolution._trust(transforms, torch.stack([same, same, foreign], 1), torch.ones(1, 2))
    assert trust[0, 0].mean() > 0.8
    assert trust[0, 1].mean() < 0.01
    assert not deconvolution._trust(transforms, torch.stack([same, same, foreign], 1), torch.zeros(1, 2)).any()


def test_a_neighbour_that_agrees_at_low_frequencies_is_trusted_there(luma):
    deconvolution = Deconvolution(MEMORY, 2).eval()
    transforms, sharp = fourier(luma.shape[-1], CPU), transforms_of(luma)
    worse = sharp * torch.where(transforms.frequency > 0.25, 0.1, 0.01)
    trust = deconvolution._trust(transforms, torch.stack([0.01 * sharp, worse], 1), torch.ones(1, 1))[0, 0, 0, :, 0]
    frequency = transforms.frequency[:, 0]
    assert trust[frequency < 0.05].min() > 0.8
    assert trust[frequency > 0.6].max() < 0.01


def transforms_of(luma):
    """The spectrum of both responses of a luma."""
    return fourier(luma.shape[-1], CPU).spectrum(apply_responses(luma))
