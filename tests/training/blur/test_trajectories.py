"""Blur kernels: their sum, extent, centre, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.training.blur.trajectories import SIZE, kernel_of, sample_kernel, sample_kernels, trimmed

FAMILIES = ["markov", "handshake"]


def box_side(kernel):
    return max(np.ptp(np.flatnonzero(kernel.max(axis=axis) > 0)) + 1 for axis in (0, 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_hold_all_light_and_have_their_extent(family):
    extents = np.exp(np.random.default_rng(0).uniform(np.log(3), np.log(41), 60))
    kernels = sample_kernels(1, extents, family)
    assert np.allclose(kernels.sum(axis=(1, 2)), 1.0, atol=1e-4)
    assert (kernels >= 0).all()
    for kernel, extent in zip(kernels, extents, strict=True):
        assert np.ceil(extent) - 1 <= box_side(kernel) <= min(SIZE, np.ceil(extent) + 1)


@pytest.mark.parametrize("extent", [3.0, 7.25, 16.5, 40.0])
def test_the_extent_is_exact_where_the_path_is_known(extent):
    """A straight path of even speed: its variance tells its length to a part of a pixel."""
    path = np.zeros((2000, 2), np.float32)
    path[:, 0] = np.linspace(0, 1, 2000)
    kernel = kernel_of(path, extent)
    x = np.arange(SIZE) - (SIZE - 1) / 2
    spread = (kernel.sum(axis=0) * x**2).sum()
    # splatting between two pixels adds a sixth of a square pixel on average
    assert np.sqrt(12 * (spread - 1 / 6)) + 1 == pytest.approx(extent, abs=0.12)


@pytest.mark.parametrize("family", FAMILIES)
def test_their_centroid_is_the_centre(family):
    kernels = sample_kernels(2, np.full(40, 18.0), family)
    x = np.arange(SIZE) - (SIZE - 1) / 2
    centroids = np.stack([(kernels.sum(axis=1) * x).sum(axis=1), (kernels.sum(axis=2) * x).sum(axis=1)])
    assert np.abs(centroids).max() < 1e-3


def test_a_kernel_depends_on_seed_number_and_extent_alone():
    extents = np.linspace(4, 30, 9)
    first = sample_kernels(5, extents, workers=1)
    assert np.array_equal(first, sample_kernels(5, extents, workers=3))
    assert np.array_equal(first[:4], sample_kernels(5, extents[:4]))
    assert not np.array_equal(first, sample_kernels(6, extents))
    assert len({kernel.tobytes() for kernel in first}) == 9


def test_extent_one_is_no_blur():
    kernel = sample_kernel(np.random.default_rng(0), 1.0)
    assert kernel[20, 20] == pytest.approx(1.0)
    assert trimmed(kernel).shape == (1, 1)


def test_trimming_loses_no_light():
    kernel = sample_kernel(np.random.default_rng(0), 11.0)
    middle = trimmed(kernel)
    assert middle.shape[0] < 25
    assert middle.shape[0] % 2 == 1
    assert middle.sum() == kernel.sum()


@pytest.mark.parametrize("extent", [0.5, 42.0, float("nan")])
def test_impossible_extents_are_refused(extent):
    with pytest.raises(ValueError, match="extent"):
        sample_kernel(np.random.default_rng(0), extent)
