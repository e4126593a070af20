"""SSIM against its reference and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from streamdeblur.kernels.similarity import ssim
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
