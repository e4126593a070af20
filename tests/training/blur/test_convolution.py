"""Images convolved with kernels, in linear intensity."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.training.blur import convolution
from streamdeblur.training.blur.convolution import convolve
from streamdeblur.training.blur.exposures import blur_image
from streamdeblur.training.blur.response import identity, open_response, srgb
from streamdeblur.training.blur.trajectories import sample_kernel
from support.reference import blur as reference

WAYS = {"sums": 10_000, "transforms": 0}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    monkeypatch.setattr(convolution, "FFT_FROM_TAPS", WAYS[request.param])


@pytest.mark.parametrize("size", [1, 5, 23])
def test_both_ways_convolve(way, size):
    random = np.random.default_rng(size)
    kernel = np.where(random.random((size, size)) < 0.3, random.random((size, size)), 0).astype(np.float32)
    kernel[size // 2, 0] = 1.0
    intensity = random.random((40, 47, 3)).astype(np.float32)
    assert np.abs(convolve(intensity, kernel) - reference.convolve(intensity, kernel)).max() < 1e-4


@pytest.mark.parametrize("name", ["identity", "srgb", "gamma:2.2"])
def test_a_flat_image_stays_flat(way, name):
    kernel = sample_kernel(np.random.default_rng(0), 17.0)
    for value in (0, 20, 131, 255):
        image = np.full((40, 50, 3), value, np.uint8)
        assert np.array_equal(blur_image(image, kernel, open_response(name)), image)


def test_a_point_becomes_the_kernel():
    kernel = sample_kernel(np.random.default_rng(1), 15.0, size=21)
    image = np.zeros((61, 61, 3), np.uint8)
    image[30, 30] = 255
    blurry = blur_image(image, kernel, identity())
    assert np.abs(blurry[20:41, 20:41, 1] - 255 * kernel).max() <= 0.51


def test_light_adds_up_where_it_is_linear():
    """Half black, half white for equal times is half of the light: code 188 of sRGB, 128 where codes are averaged."""
    kernel = np.zeros((3, 3), np.float32)
    kernel[1, 0] = kernel[1, 2] = 0.5
    stripes = np.zeros((8, 40, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 255
    assert set(np.unique(blur_image(stripes, kernel, srgb())[:, 2:-2])) == {188}
    assert set(np.unique(blur_image(stripes, kernel, identity())[:, 2:-2])) == {128}


def test_the_border_is_mirrored():
    image = np.random.default_rng(0).integers(0, 256, (30, 34, 3)).astype(np.uint8)
    kernel = sample_kernel(np.random.default_rng(2), 13.0, size=15)
    padded = cv2.copyMakeBorder(image, 7, 7, 7, 7, cv2.BORDER_REFLECT_101)
    expected = reference.codes(reference.convolve(padded / 255, kernel), np.arange(256))
    assert np.abs(blur_image(image, kernel, identity()).astype(int) - expected).max() <= 1
