"""The blur measure against its NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.sharpness import blur_effect, reduced_luma


def reference(luma):
    values = []
    for picture in (luma.astype(float), luma.T.astype(float)):
        change = np.abs(picture[:, 5:-4] - picture[:, 4:-5])
        smooth = np.abs(picture[:, 9:] - picture[:, :-9]) / 9
        values.append(1 - np.maximum(0, change - smooth).sum() / change.sum())
    return max(values)


def test_blur_effect_is_its_reference():
    luma = np.random.default_rng(0).uniform(0, 255, (50, 60)).astype(np.float32)
    assert blur_effect(luma) == pytest.approx(reference(luma), abs=1e-5)


def test_reduced_luma_is_the_sum_of_squares():
    crop = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    expected = crop[8:56, 8:56, 1].reshape(16, 3, 16, 3).astype(float).sum((1, 3))
    assert np.allclose(reduced_luma(crop, 8, 56, 3), expected)
