"""The transforms by matrix products are those of NumPy on the periodic extension of a plane."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamdeblur.fourier_matrices import KERNEL_SIDE, MARGIN
from streamdeblur.training.networks.fourier import conjugate_times, fourier, power, times

CPU = torch.device("cpu")


def complex_of(spectrum):
    """NumPy's layout: complex [..., T, T // 2 + 1]."""
    real, imaginary = spectrum.double().unbind(-2)
    return (real + 1j * imaginary).transpose(-1, -2).numpy()


def periodic(plane):
    """[..., n, n] to [..., T, T]: straight lines lead from each border to the opposite one."""
    size = plane.shape[-1]
    for axis in (-2, -1):
        first, last = np.take(plane, [0], axis), np.take(plane, [-1], axis)
        steps = [last + (first - last) * step / (MARGIN + 1) for step in range(1, MARGIN + 1)]
        plane = np.concatenate([plane, *steps], axis)
    assert plane.shape[-1] == size + MARGIN
    return plane


@pytest.mark.parametrize("size", [32, 33])
def test_the_spectrum_is_that_of_the_periodic_extension(size):
    planes = torch.rand(2, 3, size, size)
    expected = np.fft.rfft2(periodic(planes.double().numpy()), norm="ortho")
    assert np.allclose(complex_of(fourier(size, CPU).spectrum(planes)), expected, atol=1e-5)


@pytest.mark.parametrize("size", [32, 33, 128])
def test_transforms_are_inverted(size):
    transforms = fourier(size, CPU)
    planes, kernels = torch.rand(2, size, size), torch.rand(2, 1, KERNEL_SIDE, KERNEL_SIDE)
    assert torch.allclose(transforms.planes(transforms.spectrum(planes)), planes, atol=1e-5)
    assert torch.allclose(transforms.kernels(transforms.kernel_spectrum(kernels)), kernels, atol=1e-5)


def test_a_kernel_shifts_a_plane_by_its_offset():
    transforms = fourier(48, CPU)
    kernel = torch.zeros(KERNEL_SIDE, KERNEL_SIDE)
    kernel[KERNEL_SIDE // 2 + 2, KERNEL_SIDE // 2 + 5] = 1.0
    plane = torch.rand(48, 48)
    moved = transforms.planes(times(transforms.kernel_spectrum(kernel), transforms.spectrum(plane)))
    assert torch.allclose(moved[2:, 5:], plane[:-2, :-5], atol=1e-5)


def test_the_products_are_those_of_complex_numbers():
    transforms = fourier(24, CPU)
    a, b = transforms.spectrum(torch.rand(24, 24)), transforms.spectrum(torch.rand(24, 24))
    one, other = complex_of(a), complex_of(b)
    assert np.allclose(complex_of(times(a, b)), one * other, rtol=1e-3, atol=1e-2)
    assert np.allclose(complex_of(conjugate_times(a, b)), one.conj() * other, rtol=1e-3, atol=1e-2)
    assert np.allclose(power(a)[..., 0, :].numpy().T, np.abs(one) ** 2, rtol=1e-3, atol=1e-2)


def test_frequencies_and_the_laplacian_are_those_of_the_spectrum():
    transforms = fourier(32, CPU)
    stripes = torch.zeros(48, 48)
    stripes[:, ::2] = 1.0
    # finest stripes, across: the middle of the spectrum's first axis
    assert transforms.frequency[24, 0, 0] == pytest.approx(1.0)
    assert transforms.frequency[0, 0, 24] == pytest.approx(1.0)
    assert transforms.laplacian[24, 0, 24] == pytest.approx(-2.0)
    assert transforms.laplacian[0, 0, 0] == pytest.approx(0.0)
