"""Least squares over whole pictures in closed form: with periodic borders, convolutions and gradients are products of spectra.

Planes are float32 [..., H, W] in [0, 1]; the leading dimensions (colours, directions) are solved independently.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Planes = NDArray[np.float32]
Kernel = NDArray[np.float32]
"""float32 [k, k], k odd, not negative, sum 1: the point spread function."""
Spectrum = NDArray[np.complex64]


def closed(planes: Planes, margin: int) -> Planes:
    """Extend a picture below and to the right by at least `margin` pixels that interpolate from each border to the opposite one.

    As a periodic picture it has no seam, which would ring. The picture itself is ``[..., :H, :W]`` of the result.
    """
    for axis in (-2, -1):
        size = planes.shape[axis]
        count = scipy.fft.next_fast_len(size + margin, real=True) - size
        first, last = np.take(planes, 0, axis), np.take(planes, -1, axis)
        bridge = np.linspace(last, first, count + 2, axis=axis, dtype=np.float32)
        planes = np.concatenate([planes, np.take(bridge, range(1, count + 1), axis)], axis)
    return planes


def gradients(planes: Planes) -> Planes:
    """Return the differences to the next pixel across and down: float32 [2, ..., H, W]."""
    return np.stack([np.roll(planes, -1, axis) - planes for axis in (-1, -2)])


def spectrum(planes: Planes) -> Spectrum:
    """Return the spectrum of real planes, complex64 [..., H, W // 2 + 1]."""
    return np.asarray(scipy.fft.rfft2(planes), np.complex64)


def planes_of(transformed: Spectrum, height: int, width: int) -> Planes:
    """Return the real planes of a spectrum, float32 [..., height, width]."""
    return np.asarray(scipy.fft.irfft2(transformed, (height, width)), np.float32)


class LeastSquares:
    """Finds the picture x that minimises ``|k * x - y|^2 + b |grad x - g|^2 + m |x - u|^2`` for a kernel k.

    It is the quadratic half of a half-quadratic step (Geman & Yang 1995): a prior that is not quadratic chooses g and u, the
    gradients and the image that it would have, near those of x.
    """

    def __init__(self, kernel: Kernel, height: int, width: int) -> None:
        self._size = height, width
        self._transfer = self._transfer_of(kernel)
        down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        self._blur_power = np.square(np.abs(self._transfer))
        self._gradient_power = (4 - 2 * np.cos(2 * np.pi * down) - 2 * np.cos(2 * np.pi * across)).astype(np.float32)

    def _transfer_of(self, kernel: Kernel) -> Spectrum:
        plane, side = np.zeros(self._size, np.float32), kernel.shape[0]
        plane[:side, :side] = kernel
        return spectrum(np.roll(plane, (-(side // 2), -(side // 2)), (0, 1)))

    def blurred(self, planes: Planes) -> Planes:
        """Return the blurred planes, k * x."""
        return planes_of(self._transfer * spectrum(planes), *self._size)

    def correlated(self, planes: Planes) -> Planes:
        """Return the planes after the adjoint of the blur."""
        return planes_of(self.data(planes), *self._size)

    def blurred_back(self, planes: Planes) -> Planes:
        """Return the planes after the blur and its adjoint, K'K x."""
        return planes_of(self._blur_power * spectrum(planes), *self._size)

    def data(self, blurry: Planes) -> Spectrum:
        """Return the data term of the blurry picture y, which `solve` takes."""
        return np.asarray(np.conj(self._transfer) * spectrum(blurry), np.complex64)

    def solve(
        self, data: Spectrum, slopes: Planes | None = None, b: float = 0.0, image: Planes | None = None, m: float = 0.0
    ) -> Planes:
        """Solve for x.

        Args:
            data: The term of the blurry picture y, from `data`.
            slopes: The gradients g, float32 [2, ..., H, W].
            b: Their weight.
            image: The image u.
            m: Its weight.

        Returns:
            float32 [..., H, W].
        """
        power = self._blur_power + np.float32(b) * self._gradient_power + np.float32(m)
        if slopes is not None:
            across, down = slopes
            # the adjoint of `gradients`
            data = data + np.float32(b) * spectrum(np.roll(across, 1, -1) - across + np.roll(down, 1, -2) - down)
        if image is not None:
            data = data + np.float32(m) * spectrum(image)
        return planes_of(data / power, *self._size)
