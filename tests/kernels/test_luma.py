"""The half luma against its NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.luma import block_means, correlation, half_luma, mean_difference


def reference(crop):
    luma = (crop.astype(float) / 255) @ [0.299, 0.587, 0.114]
    height, width = luma.shape
    return luma.reshape(height // 2, 2, width // 2, 2).mean((1, 3))


@pytest.mark.parametrize("size", [(256, 256), (4, 2), (18, 34)])
def test_it_is_the_mean_luma_of_four_pixels(size):
    crop = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    out = np.empty((size[0] // 2, size[1] // 2), np.float32)
    half_luma(crop, out)
    assert np.abs(out - reference(crop)).max() < 1e-6


def test_black_and_white_are_0_and_1():
    out = np.empty((4, 4), np.float32)
    for value in (0, 255):
        half_luma(np.full((8, 8, 3), value, np.uint8), out)
        assert out == pytest.approx(value / 255, abs=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (4, 3), (3, 4)])
def test_a_result_of_another_size_is_refused(shape):
    with pytest.raises(ValueError, match="half the size"):
        half_luma(np.zeros((8, 8, 3), np.uint8), np.zeros(shape, np.float32))


def test_block_means_are_means():
    luma = np.random.default_rng(0).random((128, 66)).astype(np.float32)
    out = np.empty((16, 11), np.float32)
    block_means(luma, out)
    assert np.allclose(out, luma.reshape(16, 8, 11, 6).mean((1, 3)), atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (5, 7)])
def test_the_correlation_is_that_of_numpy(size):
    first, second = np.random.default_rng(1).random((2, *size)).astype(np.float32)
    for one, other in ((first, second), (first, first), (first, 3 - 2 * first)):
        expected = float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
        assert correlation(one, np.ascontiguousarray(other)) == pytest.approx(expected, abs=1e-6)


def test_flat_pictures_do_not_correlate():
    flat = np.full((8, 8), 0.3, np.float32)
    assert correlation(flat, flat) == 0.0


def test_the_mean_difference():
    first, second = np.random.default_rng(3).random((2, 30, 40)).astype(np.float32)
    assert mean_difference(first, second) == pytest.approx(np.abs(first - second).mean(), rel=1e-5)
    assert mean_difference(first, first) == 0.0
