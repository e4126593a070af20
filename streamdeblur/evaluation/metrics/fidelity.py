"""Fidelity of an image to the sharp one: PSNR, SSIM, GMSD and gradient error; sharpness where none is known.

Images are uint8 RGB [H, W, 3].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image
from streamdeblur.kernels.sharpness import blur_effect, reduced_luma

SSIM_DEVIATION, SSIM_SIDE = 1.5, 11
"""Standard deviation and side in pixels of the Gaussian window of Wang et al. 2004."""
UNIFORM_SIDE = 7
"""Side in pixels of a window of equal weights."""
SSIM_CONSTANTS = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""C1 and C2 of Wang et al. 2004, for code values."""
GMSD_CONSTANT = 170.0
"""c of GMSD, for 8-bit luma."""


def ssim(image: Image, sharp: Image) -> float:
    """Return the structural similarity of Wang et al. 2004, mean of three channels: 1 if the images are equal.

    The statistics are those of Gaussian windows (1.5 px, 11 x 11) that lie inside the image, as the paper defines them.

    Args:
        image: uint8 RGB [H, W, 3], both sides at least 11 px.
        sharp: The same of the sharp image.
    """

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _inside(cv2.GaussianBlur(values, (SSIM_SIDE, SSIM_SIDE), SSIM_DEVIATION), SSIM_SIDE)

    return _similarity(image, sharp, means)


def uniform_ssim(image: Image, sharp: Image) -> float:
    """Return the structural similarity as scikit-image computes it by default: windows of 7 x 7 pixels of equal weight.

    Args:
        image: uint8 RGB [H, W, 3], both sides at least 7 px.
        sharp: The same of the sharp image.
    """

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _inside(cv2.blur(values, (UNIFORM_SIDE, UNIFORM_SIDE)), UNIFORM_SIDE)

    # the covariance of a sample
    return _similarity(image, sharp, means, UNIFORM_SIDE**2 / (UNIFORM_SIDE**2 - 1))


def _similarity(
    image: Image, sharp: Image, means: Callable[[NDArray[np.float64]], NDArray[np.float64]], to_sample: float = 1.0
) -> float:
    """The mean of SSIM over all windows; variances are multiplied by `to_sample`."""
    first, second = image.astype(np.float64), sharp.astype(np.float64)
    mean, sharp_mean = means(first), means(second)
    variances = to_sample * (means(first**2 + second**2) - mean**2 - sharp_mean**2)
    covariance = to_sample * (means(first * second) - mean * sharp_mean)
    luminance, contrast = SSIM_CONSTANTS
    likeness = (2 * mean * sharp_mean + luminance) * (2 * covariance + contrast)
    return float((likeness / ((mean**2 + sharp_mean**2 + luminance) * (variances + contrast))).mean())


def _inside(values: NDArray[Any], side: int) -> NDArray[np.float64]:
    """Those of the windows of this side that lie inside: [H - side + 1, W - side + 1, 3] of [H, W, 3]."""
    border = side // 2
    return np.asarray(values[border:-border, border:-border], np.float64)


def gradient_error(image: Image, sharp: Image) -> float:
    """Return the difference of the edges in code values: ``|| grad image - grad sharp ||_1``, the gradient term of eq. 4.

    It is the mean absolute value of the forward differences of (image - sharp), along x plus along y.
    """
    difference = image.astype(np.int16) - sharp
    return float(sum(np.abs(np.diff(difference, axis=axis)).mean() for axis in (0, 1)))


def psnr(image: Image, sharp: Image) -> float:
    """Return the peak signal-to-noise ratio in dB of two uint8 images; 100 if they are equal."""
    error = float(np.square(image.astype(np.float32) - sharp).mean())
    return 100.0 if error == 0.0 else float(10.0 * np.log10(255.0**2 / error))


def gmsd(image: Image, sharp: Image) -> float:
    """Return the gradient magnitude similarity deviation of two uint8 RGB images: a perceptual distance, 0 if they are equal.

    W. Xue et al., "Gradient magnitude similarity deviation: a highly efficient perceptual image quality index", 2014.
    """
    first, second = (_gradient_magnitude(picture) for picture in (image, sharp))
    similarity = (2 * first * second + GMSD_CONSTANT) / (first**2 + second**2 + GMSD_CONSTANT)
    return float(similarity.std())


def _gradient_magnitude(picture: Image) -> NDArray[np.float32]:
    """The gradient magnitude of the luma at half the resolution, by Prewitt's filters."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    half = cv2.blur(luma, (2, 2))[::2, ::2]
    across = np.array([[1, 0, -1]] * 3, np.float32) / 3
    gradients = [cv2.filter2D(half, -1, kernel) for kernel in (across, across.T)]
    return np.asarray(np.hypot(*gradients), np.float32)


def sharpness_without_reference(image: Image) -> float:
    """Return how sharp an image looks, where no sharp one is known: 1 minus the blur effect, in [0, 1].

    It is the mean over the image and its half resolution, where noise counts less (F. Crete et al., "The blur effect", 2007). It
    says nothing of whether the detail is true: noise and ringing count as sharpness as well.

    Args:
        image: uint8 RGB [H, W, 3], of a square.
    """
    side = image.shape[0]
    return 1.0 - float(np.mean([blur_effect(reduced_luma(image, 0, side, factor)) for factor in (1, 2)]))
