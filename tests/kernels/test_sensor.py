"""Highlights, noise and the camera curve in one pass, against their references."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.convolution import convolve_taps
from streamdeblur.kernels.sensor import brighten, write_noisy_codes
from streamdeblur.training.blur.response import identity, srgb
from support.reference import blur as reference


def test_only_what_is_nearly_white_becomes_brighter():
    intensity = np.random.default_rng(0).random((30, 20, 3)).astype(np.float32) ** 0.3
    changed = intensity.copy()
    brighten(changed, 0.75, 3.0)
    assert np.allclose(changed, reference.brightened(intensity.astype(float), 0.75, 3.0), rtol=1e-5)
    coloured = intensity.min(axis=-1) < 0.75
    assert np.array_equal(changed[coloured], intensity[coloured])
    assert changed.max() > 2.0


@pytest.mark.parametrize("response", [identity(), srgb()], ids=lambda response: response.name)
def test_a_noisy_picture_is_that_of_the_reference(response):
    intensity = np.random.default_rng(0).random((50, 60, 3)).astype(np.float32) * 1.1
    out = np.empty(intensity.shape, np.uint8)
    write_noisy_codes(intensity, 2e-3, 1e-5, 12345, response.full, response.to_code, out)
    noise = reference.noise(intensity.size, 12345).reshape(intensity.shape)
    expected = reference.codes(intensity + noise * np.sqrt(2e-3 * intensity + 1e-5), response.to_code)
    assert np.abs(out.astype(int) - expected).max() <= 1
    assert (out != expected).mean() < 1e-3


@pytest.mark.parametrize("level", [0.05, 0.3, 0.7])
def test_noise_has_the_variance_stated(level):
    fine = (np.arange(65536) >> 8).astype(np.uint8)
    intensity = np.full((400, 400, 3), level, np.float32)
    out = np.empty(intensity.shape, np.uint8)
    write_noisy_codes(intensity, 0.002, 1e-5, 7, 65535, fine, out)
    values = (out + 0.5) / 256
    assert values.mean() == pytest.approx(level, abs=5e-4)
    assert values.var() == pytest.approx(0.002 * level + 1e-5 + 1 / 256**2 / 12, rel=0.02)
    for shifted in (values[:, 1:] - level, values[1:] - level):
        near = values[:, :-1] - level if shifted.shape[1] == 399 else values[:-1] - level
        assert abs((near * shifted).mean() / values.var()) < 0.01


def test_taps_are_shifts():
    random = np.random.default_rng(0)
    intensity = random.random((30, 40, 3)).astype(np.float32)
    rows, columns = random.integers(0, 8, 12), random.integers(0, 9, 12)
    weights = random.random(12).astype(np.float32)
    out = np.empty((22, 31, 3), np.float32)
    convolve_taps(intensity, rows, columns, weights, out)
    expected = sum(w * intensity[y : y + 22, x : x + 31] for y, x, w in zip(rows, columns, weights, strict=True))
    assert np.abs(out - expected).max() < 1e-5
