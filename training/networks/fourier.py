"""Fourier transforms of small planes as matrix products: differentiable, and supported by every engine.

The form of spectra and kernels is that of `fourier_matrices`.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from streamdeblur.fourier_matrices import KERNEL_SIDE, MARGIN, fourier_matrices


class Fourier:
    """The transforms of square planes of one size; see `fourier`.

    The constant matrices are the right factors of all products, so that engines see dense layers, which are fast and can run at
    reduced precision.
    """

    def __init__(self, size: int, device: torch.device, kernel_side: int, margin: int) -> None:
        given = fourier_matrices(size, kernel_side, margin)
        matrices = {name: torch.from_numpy(matrix).to(device) for name, matrix in given.items()}

        def pair(first: str, second: str) -> tuple[Tensor, Tensor]:
            return matrices[first], matrices[second]

        self._planes = pair("planes.rows", "planes.columns")
        self._kernels = pair("kernels.rows", "kernels.columns")
        self._planes_back = pair("planes_back.columns", "planes_back.rows")
        self._kernels_back = pair("kernels_back.columns", "kernels_back.rows")
        self.laplacian = matrices["laplacian"]
        self.frequency = matrices["frequency"]
        self.bands = matrices["bands"]

    def spectrum(self, planes: Tensor) -> Tensor:
        """Return the spectrum of planes, float32 [..., size, size]; divided by T, so that half precision can hold its square."""
        return _forward(planes, *self._planes)

    def planes(self, spectrum: Tensor) -> Tensor:
        """Return the inverse of `spectrum`: planes [..., size, size]."""
        return _back(spectrum, *self._planes_back)

    def kernel_spectrum(self, kernels: Tensor) -> Tensor:
        """Return the transfer function of kernels, float32 [..., kernel_side, kernel_side]; not divided by T."""
        return _forward(kernels, *self._kernels)

    def kernels(self, spectrum: Tensor) -> Tensor:
        """Return the inverse of `kernel_spectrum`, restricted to the extent of a kernel: [..., kernel_side, kernel_side]."""
        return _back(spectrum, *self._kernels_back)


@lru_cache(maxsize=8)
def fourier(size: int, device: torch.device, kernel_side: int = KERNEL_SIDE, margin: int = MARGIN) -> Fourier:
    """Return the transforms of planes [size, size] on a device, see `fourier_matrices`; the last ones used are cached."""
    return Fourier(size, device, kernel_side, margin)


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
