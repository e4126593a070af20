"""Paths of a shaking camera, against their references."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.trajectories import markov_path, render_path, sum_of_waves
from support.reference import blur as reference


@pytest.mark.parametrize("seed", range(4))
def test_the_markov_process_is_that_of_kupyn(seed):
    random = np.random.default_rng(seed)
    normals, chances = random.standard_normal((299, 2)).astype(np.float32), random.random((299, 2)).astype(np.float32)
    # This camera is anxious enough for sudden shakes in 300 steps.
    traits = np.array([2 * np.pi * random.random(), 20.0, 0.2, 5.0, 0.05])
    path = np.empty((300, 2), np.float32)
    markov_path(normals, chances, traits, path)
    assert (chances[:, 0] < 0.2 * 0.05).any()
    assert np.abs(path - reference.markov_path(normals, chances, *traits)).max() < 1e-5


def test_waves_are_sines():
    random = np.random.default_rng(0)
    amplitudes, phases, steps = random.random((3, 5)), 6 * random.random((3, 5)), random.random(5)
    path = np.empty((200, 3), np.float32)
    sum_of_waves(amplitudes, phases, steps, path)
    expected = (amplitudes * np.sin(phases + np.arange(200)[:, None, None] * steps)).sum(-1)
    assert np.abs(path - expected).max() < 1e-4


def test_light_is_left_where_the_path_is():
    path = np.random.default_rng(0).normal(0, 1, (60, 2)).cumsum(axis=0).astype(np.float32)
    intensity = np.empty((41, 41), np.float32)
    render_path(path, 12.5, intensity)
    assert np.abs(intensity - reference.splatted(path, 12.5, 41)).max() < 1e-5


def test_a_path_that_stands_still_is_a_point():
    intensity = np.empty((5, 5), np.float32)
    render_path(np.ones((10, 2), np.float32), 0.0, intensity)
    assert intensity[2, 2] == pytest.approx(1.0)


def test_a_lopsided_path_is_moved_inside():
    path = np.zeros((100, 2), np.float32)
    path[-1, 0] = 1.0
    intensity = np.empty((21, 21), np.float32)
    render_path(path, 19.0, intensity)
    assert intensity.sum() == pytest.approx(1.0)
    assert np.flatnonzero(intensity.sum(axis=0) > 1e-4).tolist() == [1, 20]
