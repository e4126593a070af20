"""The matrices with which a deconvolution transforms planes of one size; a network of another size has others.

A spectrum is stored as real numbers, [..., T // 2 + 1, 2, T]: horizontal frequencies (the half that suffices for a real plane),
the real and the imaginary part, vertical frequencies. T is the period: the plane is extended by `MARGIN` pixels that interpolate
from each border to the opposite one, so that the periodic extension has no jump. Kernels are [..., KERNEL_SIDE, KERNEL_SIDE],
with the origin in their middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KERNEL_SIDE = 21
"""Side of kernels, in pixels of the planes."""
MARGIN = 16
"""Pixels by which a plane is extended; more than half of a kernel."""
BANDS = 8
"""Number of frequency bands."""


def fourier_matrices(size: int, kernel_side: int = KERNEL_SIDE, margin: int = MARGIN) -> dict[str, NDArray[np.float32]]:
    """Return the matrices for planes [size, size], all float32; by default those for the kernels and the margin above.

    Every transform is a product with one matrix from the right for each direction; ``T`` is ``size + margin``:

    - ``planes.rows`` and ``planes.columns`` give the spectrum of a plane, divided by T;
    - ``kernels.rows`` and ``kernels.columns`` that of a kernel, not divided;
    - ``planes_back.columns`` and ``planes_back.rows``, ``kernels_back.columns`` and ``kernels_back.rows`` their inverses;
    - ``laplacian`` [T // 2 + 1, 1, T] is the spectrum of the filter "mean of the four neighbours less the pixel", which is real;
    - ``frequency`` [T // 2 + 1, 1, T] is the squared frequency, 1 at the Nyquist frequency of an axis;
    - ``bands`` [BANDS, (T // 2 + 1) * T] is the weight of each frequency in each band; those of a frequency sum to 1.
    """
    period = size + margin
    half = period // 2 + 1
    dft = np.exp(-2j * np.pi * np.outer(np.arange(period), np.arange(period)) / period)
    offsets = np.arange(kernel_side) - kernel_side // 2
    kernel_dft = np.exp(-2j * np.pi * np.outer(np.arange(period), offsets) / period)
    extended_dft = dft @ _periodic_extension(size, period)
    # all columns of a half spectrum count weights but the first one (and the last one of an even period)
    weights = np.where(np.arange(half) * 2 % period == 0, 1.0, 2.0) / period
    vertical, horizontal = np.cos(2 * np.pi * np.fft.fftfreq(period)), np.cos(2 * np.pi * np.fft.rfftfreq(period))
    squared = 4 * (np.fft.rfftfreq(period)[:, None, None] ** 2 + np.fft.fftfreq(period) ** 2)
    matrices = {
        "planes.rows": _of_real(extended_dft[:half]),
        "planes.columns": _of_complex(extended_dft / period),
        "kernels.rows": _of_real(kernel_dft[:half]),
        "kernels.columns": _of_complex(kernel_dft),
        "planes_back.columns": _of_complex(dft[:, :size].conj().T),
        "planes_back.rows": _to_real(dft[:half, :size].conj().T * weights),
        "kernels_back.columns": _of_complex(kernel_dft.conj().T / period),
        "kernels_back.rows": _to_real(kernel_dft[:half].conj().T * weights),
        "laplacian": (horizontal[:, None, None] + vertical) / 2 - 1,
        "frequency": squared,
        "bands": _bands(np.sqrt(squared.reshape(-1))),
    }
    return {name: matrix.astype(np.float32) for name, matrix in matrices.items()}


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
