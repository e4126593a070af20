"""Views through tables and back, and integer sums of them."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.averaging import add_intensity, mean_codes
from streamdeblur.kernels.intensity import read_intensity, write_codes
from streamdeblur.training.blur.response import srgb
from support.reference import blur as reference

VIEWS = {
    "inside": (3, 5, 20, 16),
    "over the left and top": (-7, -4, 25, 20),
    "over the right and bottom": (20, 15, 25, 20),
    "larger than the image": (-50, -60, 130, 150),
    "wholly outside": (100, -90, 12, 9),
}


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (24, 31, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_mirrored_beyond_the_border(image, name):
    left, top, width, height = VIEWS[name]
    table = np.random.default_rng(1).random(256).astype(np.float32)
    out = np.empty((height, width, 3), np.float32)
    read_intensity(image, left, top, table, out)
    assert np.array_equal(out, table[reference.view(image, left, top, width, height)])


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("channels", [1, 3])
def test_sums_are_exact_and_can_be_undone(image, name, channels):
    left, top, width, height = VIEWS[name]
    image = np.ascontiguousarray(image[..., :channels])
    table = srgb().to_intensity.astype(np.int32)
    total = np.random.default_rng(1).integers(0, 10**6, (height, width, channels)).astype(np.int32)
    before = total.copy()
    add_intensity(image, left, top, table, total)
    assert np.array_equal(total - before, table[reference.view(image, left, top, width, height)])
    add_intensity(image, left, top, -table, total)
    assert np.array_equal(total, before)


def test_a_picture_that_may_not_be_written_is_read(image):
    image.flags.writeable = False
    out = np.empty((24, 31, 3), np.uint8)
    read_intensity(image, 0, 0, np.arange(256, dtype=np.uint8), out)
    assert np.array_equal(out, image)


def test_a_part_of_a_larger_picture_is_read(image):
    part, table = image[3:20, 4:25], np.arange(256, dtype=np.uint8)
    out = np.empty((30, 30, 3), np.uint8)
    read_intensity(part, -5, -6, table, out)
    assert np.array_equal(out, reference.view(part, -5, -6, 30, 30))


@pytest.mark.parametrize("count", [1, 3, 7, 21, 255])
def test_means_are_rounded_exactly(count):
    table = srgb().to_code
    total = np.random.default_rng(count).integers(0, 65536 * count, (40, 50, 3)).astype(np.int32)
    total[0, 0] = [0, 65535 * count, count // 2]
    out = np.empty(total.shape, np.uint8)
    mean_codes(total, count, table, out)
    assert np.array_equal(out, table[np.minimum((2 * total + count) // (2 * count), 65535)])


def test_light_becomes_the_nearest_code_and_clips():
    intensity = np.random.default_rng(0).uniform(-0.2, 1.4, (37, 41, 3)).astype(np.float32)
    out = np.empty(intensity.shape, np.uint8)
    write_codes(intensity, 255, np.arange(256, dtype=np.uint8), out)
    assert np.array_equal(out, reference.codes(intensity, np.arange(256)))
