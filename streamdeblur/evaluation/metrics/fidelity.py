"""How far an image is from the sharp one, pixel by pixel: PSNR, SSIM, GMSD, gradient error. Images are uint8 RGB [H, W, 3]."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from streamdeblur.evaluation.cases import Image

GMSD_CONSTANT = 170.0
"""c of GMSD, for 8-bit luma."""


def ssim(image: Image, sharp: Image) -> float:
    """Structural similarity (Wang et al. 2004) as scikit-image defines it, the mean of the three channels: 1 where images agree.

    Windows of 7 x 7 pixels, all of the same weight, with the sample covariance; both sides at least 7 px.
    """
    # (scikit-image has no type hints)
    return float(structural_similarity(image, sharp, channel_axis=2, data_range=255))  # type: ignore[no-untyped-call]


def gradient_error(image: Image, sharp: Image) -> float:
    """How much the edges differ, in code values: ``|| grad image - grad sharp ||_1``, the gradient term of eq. 4.

    Mean absolute value of the forward differences of (image - sharp), along x plus along y.
    """
    difference = image.astype(np.int16) - sharp
    return float(sum(np.abs(np.diff(difference, axis=axis)).mean() for axis in (0, 1)))


def psnr(image: Image, sharp: Image) -> float:
    """Peak signal to noise ratio in dB of two uint8 images; 100 where they are the same."""
    error = float(np.square(image.astype(np.float32) - sharp).mean())
    return 100.0 if error == 0.0 else float(10.0 * np.log10(255.0**2 / error))


def gmsd(image: Image, sharp: Image) -> float:
    """Gradient magnitude similarity deviation of two uint8 RGB images: a perceptual distance, 0 where they are the same.

    W. Xue et al., "Gradient magnitude similarity deviation: a highly efficient perceptual image quality index", 2014.
    """
    first, second = (_gradient_magnitude(picture) for picture in (image, sharp))
    similarity = (2 * first * second + GMSD_CONSTANT) / (first**2 + second**2 + GMSD_CONSTANT)
    return float(similarity.std())


def _gradient_magnitude(picture: Image) -> NDArray[np.float32]:
    """Of the luma at half the resolution, by Prewitt's filters."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    half = cv2.blur(luma, (2, 2))[::2, ::2]
    across = np.array([[1, 0, -1]] * 3, np.float32) / 3
    gradients = [cv2.filter2D(half, -1, kernel) for kernel in (across, across.T)]
    return np.asarray(np.hypot(*gradients), np.float32)
