"""Fourier transforms of small planes as matrix products: differentiable, and an operation that every engine has.

A spectrum is real, [..., T // 2 + 1, 2, T]: frequencies across (the half that a real plane has), the real and the imaginary part,
frequencies down. T is the side of a torus that the plane lies on, with `MARGIN` more pixels that lead from each border to the
opposite one and leave no seam. Kernels are [..., KERNEL_SIDE, KERNEL_SIDE], their middle at the origin.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

KERNEL_SIDE = 21
"""Largest kernel, in pixels of the planes."""
MARGIN = 16
"""Pixels of the torus beyond a plane, more than a kernel reaches."""


class Fourier:
    """The transforms of square planes of one size; see `fourier`.

    Constants stand on the right of every product: so they are dense layers, which engines run fast and at reduced precision.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        torus = size + MARGIN
        half = torus // 2 + 1
        turns = np.exp(-2j * np.pi * np.outer(np.arange(torus), np.arange(torus)) / torus)
        offsets = np.arange(KERNEL_SIDE) - KERNEL_SIDE // 2
        kernel_turns = np.exp(-2j * np.pi * np.outer(np.arange(torus), offsets) / torus)

        def tensor(matrix: NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(matrix.astype(np.float32)).to(device)

        def pair(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
            return tensor(first), tensor(second)

        laid = turns @ _bridge(size, torus)
        self._planes = pair(_of_real(laid[:half]), _of_complex(laid / torus))
        self._kernels = pair(_of_real(kernel_turns[:half]), _of_complex(kernel_turns))
        # all but the first column of a half spectrum (and the last of an even torus) stand for two
        twice = np.where(np.arange(half) * 2 % torus == 0, 1.0, 2.0) / torus
        self._planes_back = pair(_of_complex(turns[:, :size].conj().T), _to_real(turns[:half, :size].conj().T * twice))
        self._kernels_back = pair(_of_complex(kernel_turns.conj().T / torus), _to_real(kernel_turns[:half].conj().T * twice))

        down, across = np.cos(2 * np.pi * np.fft.fftfreq(torus)), np.cos(2 * np.pi * np.fft.rfftfreq(torus))
        self.laplacian = tensor((across[:, None, None] + down) / 2 - 1)
        """Spectrum, real, of the difference to the mean of the four neighbours: [T // 2 + 1, 1, T]."""
        squared = np.fft.rfftfreq(torus)[:, None, None] ** 2 + np.fft.fftfreq(torus) ** 2
        self.frequency = tensor(4 * squared)
        """Squared frequency, [T // 2 + 1, 1, T]: 1 is the finest stripes along an axis."""

    def spectrum(self, planes: Tensor) -> Tensor:
        """Of planes, float32 [..., size, size]; divided by T, so that half precision can hold it and its squares."""
        return _forward(planes, *self._planes)

    def planes(self, spectrum: Tensor) -> Tensor:
        """The planes of a spectrum, without the margin."""
        return _back(spectrum, *self._planes_back)

    def kernel_spectrum(self, kernels: Tensor) -> Tensor:
        """Of kernels, float32 [..., KERNEL_SIDE, KERNEL_SIDE]; not divided: what a kernel does to the spectra of planes."""
        return _forward(kernels, *self._kernels)

    def kernels(self, spectrum: Tensor) -> Tensor:
        """What a spectrum, not divided, has in the reach of a kernel."""
        return _back(spectrum, *self._kernels_back)


@lru_cache(maxsize=8)
def fourier(size: int, device: torch.device) -> Fourier:
    """The transforms of planes [size, size] on a device."""
    return Fourier(size, device)


def times(a: Tensor, b: Tensor) -> Tensor:
    """The product of two spectra."""
    (a_real, a_imaginary), (b_real, b_imaginary) = a.unbind(-2), b.unbind(-2)
    return torch.stack([a_real * b_real - a_imaginary * b_imaginary, a_real * b_imaginary + a_imaginary * b_real], -2)


def conjugate_times(a: Tensor, b: Tensor) -> Tensor:
    """The product of the conjugate of one spectrum and another."""
    (a_real, a_imaginary), (b_real, b_imaginary) = a.unbind(-2), b.unbind(-2)
    return torch.stack([a_real * b_real + a_imaginary * b_imaginary, a_real * b_imaginary - a_imaginary * b_real], -2)


def power(spectrum: Tensor) -> Tensor:
    """Squared magnitude: [..., T // 2 + 1, 1, T]."""
    return spectrum.square().sum(-2, keepdim=True)


def _forward(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """[..., n, n] to [..., half, 2, T]."""
    lines = torch.unflatten(planes @ rows, -1, (2, -1))
    return torch.unflatten(lines.transpose(-1, -3).flatten(-2) @ columns, -1, (2, -1))


def _back(spectrum: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """[..., half, 2, T] to [..., n, n]."""
    lines = torch.unflatten(spectrum.flatten(-2) @ columns, -1, (2, -1))
    return lines.transpose(-1, -3).flatten(-2) @ rows


def _bridge(size: int, torus: int) -> NDArray[np.float64]:
    """[torus, size]: lays a line of pixels on a circle and leads from its end back to its beginning."""
    matrix = np.eye(torus, size)
    share = np.arange(1, torus - size + 1) / (torus - size + 1)
    matrix[size:, -1], matrix[size:, 0] = 1 - share, share
    return matrix


def _of_real(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """A complex [m, n] for products ``x @``: of n real numbers, the m real and then the m imaginary ones."""
    return np.concatenate([matrix.real, matrix.imag]).T


def _of_complex(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The same of n real and n imaginary numbers."""
    return np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]]).T


def _to_real(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The same, of which only the real numbers are wanted."""
    return np.concatenate([matrix.real, -matrix.imag], 1).T
