"""Fourier transforms of small planes as matrix products: differentiable, and supported by every engine.

A spectrum is stored as real numbers, [..., T // 2 + 1, 2, T]: horizontal frequencies (the half that suffices for a real plane),
the real and the imaginary part, vertical frequencies. T is the period: the plane is extended by `MARGIN` pixels that interpolate
from each border to the opposite one, so that the periodic extension has no jump. Kernels are [..., KERNEL_SIDE, KERNEL_SIDE],
with the origin in their middle.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

KERNEL_SIDE = 21
"""Side of kernels, in pixels of the planes."""
MARGIN = 16
"""Pixels by which a plane is extended; more than half of a kernel."""
BANDS = 8
"""Number of frequency bands."""


class Fourier:
    """The transforms of square planes of one size; see `fourier`.

    The constant matrices are the right factors of all products, so that engines see dense layers, which are fast and can run at
    reduced precision.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        period = size + MARGIN
        half = period // 2 + 1
        dft = np.exp(-2j * np.pi * np.outer(np.arange(period), np.arange(period)) / period)
        offsets = np.arange(KERNEL_SIDE) - KERNEL_SIDE // 2
        kernel_dft = np.exp(-2j * np.pi * np.outer(np.arange(period), offsets) / period)

        def tensor(matrix: NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(matrix.astype(np.float32)).to(device)

        def pair(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
            return tensor(first), tensor(second)

        extended_dft = dft @ _periodic_extension(size, period)
        self._planes = pair(_of_real(extended_dft[:half]), _of_complex(extended_dft / period))
        self._kernels = pair(_of_real(kernel_dft[:half]), _of_complex(kernel_dft))
        # all columns of a half spectrum count weights but the first one (and the last one of an even period)
        weights = np.where(np.arange(half) * 2 % period == 0, 1.0, 2.0) / period
        self._planes_back = pair(_of_complex(dft[:, :size].conj().T), _to_real(dft[:half, :size].conj().T * weights))
        self._kernels_back = pair(_of_complex(kernel_dft.conj().T / period), _to_real(kernel_dft[:half].conj().T * weights))

        vertical, horizontal = np.cos(2 * np.pi * np.fft.fftfreq(period)), np.cos(2 * np.pi * np.fft.rfftfreq(period))
        self.laplacian = tensor((horizontal[:, None, None] + vertical) / 2 - 1)
        """Spectrum of the filter "mean of the four neighbours less the pixel", which is real: [T // 2 + 1, 1, T]."""
        squared = np.fft.rfftfreq(period)[:, None, None] ** 2 + np.fft.fftfreq(period) ** 2
        self.frequency = tensor(4 * squared)
        """Squared frequency, [T // 2 + 1, 1, T]; 1 is the Nyquist frequency of an axis."""
        self.bands = tensor(_bands(np.sqrt(4 * squared).reshape(-1)))
        """Weight of each frequency in each band, [BANDS, (T // 2 + 1) * T]; those of a frequency sum to 1."""

    def spectrum(self, planes: Tensor) -> Tensor:
        """Return the spectrum of planes, float32 [..., size, size]; divided by T, so that half precision can hold its square."""
        return _forward(planes, *self._planes)

    def planes(self, spectrum: Tensor) -> Tensor:
        """Return the inverse of `spectrum`: planes [..., size, size]."""
        return _back(spectrum, *self._planes_back)

    def kernel_spectrum(self, kernels: Tensor) -> Tensor:
        """Return the transfer function of kernels, float32 [..., KERNEL_SIDE, KERNEL_SIDE]; not divided by T."""
        return _forward(kernels, *self._kernels)

    def kernels(self, spectrum: Tensor) -> Tensor:
        """Return the inverse of `kernel_spectrum`, restricted to the extent of a kernel: [..., KERNEL_SIDE, KERNEL_SIDE]."""
        return _back(spectrum, *self._kernels_back)


@lru_cache(maxsize=8)
def fourier(size: int, device: torch.device) -> Fourier:
    """Return the transforms of planes [size, size] on a device; the last ones used are cached."""
    return Fourier(size, device)


def times(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of two spectra [..., T // 2 + 1, 2, T]."""
    (a_real, a_imaginary), (b_real, b_imaginary) = a.unbind(-2), b.unbind(-2)
    return torch.stack([a_real * b_real - a_imaginary * b_imaginary, a_real * b_imaginary + a_imaginary * b_real], -2)


def conjugate_times(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of the conjugate of `a` and `b`, [..., T // 2 + 1, 2, T]."""
    (a_real, a_imaginary), (b_real, b_imaginary) = a.unbind(-2), b.unbind(-2)
    return torch.stack([a_real * b_real + a_imaginary * b_imaginary, a_real * b_imaginary - a_imaginary * b_real], -2)


def power(spectrum: Tensor) -> Tensor:
    """Return the squared magnitude of a spectrum: [..., T // 2 + 1, 1, T]."""
    return spectrum.square().sum(-2, keepdim=True)


def _forward(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Transform planes [..., n, n] to a spectrum [..., half, 2, T]."""
    lines = torch.unflatten(planes @ rows, -1, (2, -1))
    return torch.unflatten(lines.transpose(-1, -3).flatten(-2) @ columns, -1, (2, -1))


def _back(spectrum: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Transform a spectrum [..., half, 2, T] to planes [..., n, n]."""
    lines = torch.unflatten(spectrum.flatten(-2) @ columns, -1, (2, -1))
    return lines.transpose(-1, -3).flatten(-2) @ rows


def _periodic_extension(size: int, period: int) -> NDArray[np.float64]:
    """A matrix [period, size] that extends a row of pixels by linear interpolation from its last to its first one."""
    matrix = np.eye(period, size)
    weight = np.arange(1, period - size + 1) / (period - size + 1)
    matrix[size:, -1], matrix[size:, 0] = 1 - weight, weight
    return matrix


def _bands(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation between the middles of the bands, which lie at equal distances from 0 to 1: [BANDS, n]."""
    return np.stack([np.interp(frequencies, np.linspace(0.0, 1.0, BANDS), middle) for middle in np.eye(BANDS)])


def _of_real(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The matrix that maps n real numbers to the m real and then the m imaginary parts of a complex [m, n] times them."""
    return np.concatenate([matrix.real, matrix.imag]).T


def _of_complex(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The same for n complex numbers, given as n real and then n imaginary parts."""
    return np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]]).T


def _to_real(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """As `_of_complex`, but only the m real parts of the product."""
    return np.concatenate([matrix.real, -matrix.imag], 1).T
