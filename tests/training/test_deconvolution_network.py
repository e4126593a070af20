"""The deconvolution inside the generator: least squares recover a kernel, the Wiener filter inverts it, all of it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamdeblur.errors import OptionError
from streamdeblur.training.blur.trajectories import sample_kernel
from streamdeblur.training.networks.deconvolution import (
    LUMA,
    ROOT_OFFSET,
    Deconvolution,
    apply_responses,
    half_luma,
    half_resolution_kernels,
    invert_responses,
    laplacian,
)
from streamdeblur.training.networks.fourier import KERNEL_SIDE, fourier, times
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
    expected = (images * torch.tensor(LUMA)[None, :, None, None]).sum(1, keepdim=True)
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
    small = half_resolution_kernels(kernel)
    assert small.shape == (1, 1, KERNEL_SIDE, KERNEL_SIDE)
    assert small.sum().item() == pytest.approx(1.0, abs=0.01)
    places = torch.arange(41.0) - 20
    assert (small[0, 0].sum(0) @ (places[10:31])).item() == pytest.approx((kernel[0].sum(0) @ places).item() / 2, abs=0.1)


def test_a_known_kernel_is_undone(luma):
    """Least squares recover the kernel from a picture and its blurred version, and the Wiener filter inverts it."""
    deconvolution = Deconvolution(TINY).eval()
    with torch.no_grad():
        deconvolution.ridges.fill_(-7.0)
        deconvolution.noise[:, 0] = -9.0
    transforms = fourier(luma.shape[-1], CPU)
    kernel = half_resolution_kernels(torch.from_numpy(sample_kernel(np.random.default_rng(5), 16.0))[None])
    sharp = apply_responses(luma)
    blurred = times(transforms.kernel_spectrum(kernel), transforms.spectrum(sharp))
    found = deconvolution._least_squares(transforms, blurred, laplacian(sharp))
    cosines = torch.cosine_similarity(found.flatten(2), kernel.flatten(2), dim=2)
    assert cosines.min() > 0.95, "under both responses, with every ridge"
    blurry = transforms.planes(blurred)
    restored = deconvolution._wiener(transforms, blurred, blurry, kernel)
    inner = (..., slice(10, -10), slice(10, -10))
    before, after = ((planes - sharp)[inner].square().mean() for planes in (blurry, restored))
    assert after < before / 20


def test_the_kernel_is_not_negative_and_of_sum_one_for_any_input():
    planes, kernel = Deconvolution(TINY)(torch.rand(3, 3, 64, 64), torch.rand(3, 3, 64, 64))
    assert planes.shape == (3, 2, 32, 32)
    assert kernel.shape == (3, 1, KERNEL_SIDE, KERNEL_SIDE)
    assert kernel.min() >= 0
    assert torch.allclose(kernel.sum((1, 2, 3)), torch.ones(3), atol=1e-5)


def test_flat_crops_give_finite_outputs():
    for value in (0.0, 1.0):
        flat = torch.full((1, 3, 64, 64), value)
        planes, kernel = Deconvolution(TINY)(flat, flat)
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
    restored, found = generator.restore(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64), torch.rand(1, 8))
    assert found is not None
    restored.square().sum().backward()
    assert all(weights.grad is not None and weights.grad.any() for weights in generator.deconvolution.parameters())


def test_a_deconvolution_needs_a_coarse_image():
    for change in ({"kind": "table3"}, {"kind": "unet", "conditioned": False}):
        with pytest.raises(OptionError, match="needs a coarse image"):
            GeneratorPreset(deconvolution=TINY, **change)
