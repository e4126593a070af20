"""The half luma against its NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.luma import block_means, half_luma, mean_difference, shifted_correlation


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


def correlation(first, second):
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.mark.parametrize("reach", [0, 1, 2])
def test_the_correlation_is_that_of_the_best_shift(reach):
    first, second = np.random.default_rng(1).random((2, 12, 15)).astype(np.float32)
    inner = first[reach : 12 - reach, reach : 15 - reach]
    height, width = inner.shape
    shifts = [(top, left) for top in range(2 * reach + 1) for left in range(2 * reach + 1)]
    expected = max(correlation(inner, second[top : top + height, left : left + width]) for top, left in shifts)
    assert shifted_correlation(first, second, reach) == pytest.approx(expected, abs=1e-5)


def test_a_shifted_picture_correlates_fully_and_a_flat_one_not_at_all():
    picture = np.random.default_rng(2).random((20, 20)).astype(np.float32)
    first, second = (np.ascontiguousarray(picture[n : n + 16, 2 - n : 18 - n]) for n in (1, 2))
    assert shifted_correlation(first, second, 1) == pytest.approx(1.0)
    assert shifted_correlation(first, np.full_like(first, 0.3), 1) == 0.0


def test_a_shift_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="reach"):
        shifted_correlation(np.zeros((4, 9), np.float32), np.zeros((4, 9), np.float32), 2)


def test_the_mean_difference():
    first, second = np.random.default_rng(3).random((2, 30, 40)).astype(np.float32)
    assert mean_difference(first, second) == pytest.approx(np.abs(first - second).mean(), rel=1e-5)
    assert mean_difference(first, first) == 0.0
