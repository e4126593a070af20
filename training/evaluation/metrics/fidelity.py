"""How far an image is from the sharp one, pixel by pixel: PSNR, SSIM, GMSD, gradient error. Images are uint8 RGB [H, W, 3]."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from streamdeblur.training.evaluation.cases import Image
from streamdeblur.training.measuring import gmsd
from streamdeblur.training.measuring import psnr_of as psnr

__all__ = ["gmsd", "gradient_error", "psnr", "ssim"]


def ssim(image: Image, sharp: Image) -> float:
    """Structural similarity (Wang et al. 2004) as scikit-image defines it, the mean of the three channels: 1 where images agree.

    Windows of 7 x 7 pixels, all of the same weight, with the sample covariance; both sides at least 7 px.
    """
    return float(structural_similarity(image, sharp, channel_axis=2, data_range=255))  # type: ignore[no-untyped-call]


def gradient_error(image: Image, sharp: Image) -> float:
    """How much the edges differ, in code values: ``|| grad image - grad sharp ||_1``, the gradient term of eq. 4.

    Mean absolute value of the forward differences of (image - sharp), along x plus along y.
    """
    difference = image.astype(np.int16) - sharp
    return float(sum(np.abs(np.diff(difference, axis=axis)).mean() for axis in (0, 1)))
