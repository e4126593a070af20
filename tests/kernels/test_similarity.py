"""SSIM against its reference and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from streamdeblur.kernels.similarity import mean_square_difference, ssim
from support.reference import blur as reference


def pictures(deviation, shape=(45, 52)):
    random = np.random.default_rng(0)
    first = random.integers(0, 256, shape).astype(np.uint8)
    second = np.clip(first + random.normal(0, deviation, shape), 0, 255).astype(np.uint8)
    return first, second


@pytest.mark.parametrize("deviation", [0, 3, 30, 300])
def test_it_is_that_of_the_reference(deviation):
    first, second = pictures(deviation)
    assert ssim(first, second) == pytest.approx(reference.ssim(first, second), abs=1e-5)


def test_it_is_that_of_scikit_image():
    first, second = pictures(20)
    _, values = structural_similarity(first, second, win_size=7, use_sample_covariance=False, full=True)
    assert ssim(first, second) == pytest.approx(values[3:-3, 3:-3].mean(), abs=1e-5)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_equal_flat_pictures_are_alike(value):
    flat = np.full((7, 7), value, np.uint8)
    assert ssim(flat, flat) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 1, 1), (0, 4, 3)])
def test_the_mean_square_difference_is_exact(shape):
    random = np.random.default_rng(0)
    wide = random.integers(0, 256, (2, shape[0], shape[1] + 2, shape[2]), np.uint8)
    first, second = wide[:, :, 1:-1]
    expected = np.square(first.astype(float) - second).mean() if first.size else 0.0
    assert mean_square_difference(first, second) == pytest.approx(expected, rel=1e-12)
