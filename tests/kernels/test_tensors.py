"""The conversion of network outputs to pixels."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.tensors import quantise


def test_outputs_are_rounded_and_clipped():
    images = np.random.default_rng(0).uniform(-0.3, 1.3, (3, 3, 17, 19)).astype(np.float32)
    out, finite = np.empty((3, 17, 19, 3), np.uint8), np.zeros(3, np.bool_)
    quantise(images, out, finite)
    expected = np.clip(np.floor(images.transpose(0, 2, 3, 1) * np.float32(255) + np.float32(0.5)), 0, 255)
    assert np.abs(out.astype(int) - expected).max() <= 1
    assert finite.all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_images_with_nan_or_infinity_are_found(bad):
    images = np.full((3, 3, 8, 8), 0.5, np.float32)
    images[1, 2, 7, 3] = bad
    finite = np.zeros(3, np.bool_)
    quantise(images, np.empty((3, 8, 8, 3), np.uint8), finite)
    assert finite.tolist() == [True, False, True]
