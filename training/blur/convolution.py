"""Convolution of an image with one kernel, in linear intensity."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.convolution import convolve_taps

FFT_FROM_TAPS = 240
"""Taps from which transforms are faster than sums. One core, 256 px RGB: 240 taps take 2.2 ms, transforms for any kernel 2.2
ms."""


def convolve(intensity: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve linear intensity with a kernel: each point of the picture is spread as the kernel shows it.

    Args:
        intensity: float32 [h + k - 1, w + k - 1, 3].
        kernel: float32 [k, k] with k odd.

    Returns:
        float32 [h, w, 3].
    """
    # a convolution reverses its kernel, a sum of shifted pictures does not
    turned = np.ascontiguousarray(kernel[::-1, ::-1], np.float32)
    if np.count_nonzero(turned) < FFT_FROM_TAPS:
        return _sum_of_taps(intensity, turned)
    return _by_transform(intensity, kernel)


def _sum_of_taps(intensity: NDArray[np.float32], turned: NDArray[np.float32]) -> NDArray[np.float32]:
    places = np.flatnonzero(turned)
    # padded to a multiple of four taps, with weight 0
    taps = np.zeros((2, -(-len(places) // 4) * 4), np.int64)
    weights = np.zeros(taps.shape[1], np.float32)
    taps[:, : len(places)] = np.divmod(places, turned.shape[0])
    weights[: len(places)] = turned.flat[places]
    size = turned.shape[0] - 1
    out = np.empty((intensity.shape[0] - size, intensity.shape[1] - size, 3), np.float32)
    convolve_taps(intensity, taps[0], taps[1], weights, out)
    return out


def _by_transform(intensity: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    # circular: what wraps around falls into the border that is cropped
    height, width = intensity.shape[:2]
    below, right = (cv2.getOptimalDFTSize(side) - side for side in (height, width))

    def spectrum(plane: NDArray[np.float32], bottom: int, beside: int) -> NDArray[np.float32]:
        return np.asarray(cv2.dft(cv2.copyMakeBorder(plane, 0, bottom, 0, beside, cv2.BORDER_CONSTANT)), np.float32)

    size = kernel.shape[0]
    factor = spectrum(kernel, height + below - size, width + right - size)
    planes = (np.asarray(plane, np.float32) for plane in cv2.split(intensity))
    products = [cv2.mulSpectrums(spectrum(plane, below, right), factor, 0) for plane in planes]
    whole = [cv2.dft(plane, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE) for plane in products]
    return np.maximum(cv2.merge([plane[size - 1 : height, size - 1 : width] for plane in whole]), np.float32(0.0))
