"""Lengths and sums of motion."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.motion import add_motion, mean_length


@pytest.fixture
def field():
    return np.random.default_rng(0).normal(0, 3, (32, 18, 2)).astype(np.float32)


def test_the_mean_length_is_that_of_its_vectors(field):
    assert mean_length(field) == pytest.approx(np.linalg.norm(field, axis=-1).mean(), rel=1e-6)


def test_motion_adds_up_over_a_part_of_the_grid(field):
    part = field[4:20, 3:9]
    net = np.full_like(part, 0.5)
    assert add_motion(part, net) == pytest.approx(np.linalg.norm(part, axis=-1).mean(), rel=1e-6)
    assert np.array_equal(net, np.float32(0.5) + part)
