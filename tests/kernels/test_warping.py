"""Pictures under a moving camera, against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.kernels.warping import add_warped, count_steps, path_matrices, pixel_numbers
from support.reference import blur as reference

POSES = {
    "none": (0, 0, 0, 0),
    "whole pixels": (3, -2, 0, 0),
    "parts of pixels": (1.3, -2.6, 0, 0),
    "turned": (0.2, 0.1, 0.02, 0),
    "turned back and closer": (-1.5, 2.5, -0.05, 0.03),
    "farther": (0, 0, 0, -0.04),
}


@pytest.fixture
def intensity():
    return np.random.default_rng(0).random((70, 90, 3)).astype(np.float32)


@pytest.mark.parametrize("name", POSES)
def test_a_warp_is_bilinear(intensity, name):
    matrix = reference.pose_matrix(POSES[name], 29.5, 19.5, 14.0)
    total = np.ones((40, 60, 3), np.float32)
    add_warped(intensity, matrix[None], pixel_numbers(60), 0.25, total)
    assert np.abs(total - 1 - 0.25 * reference.warped(intensity, matrix, 60, 40)).max() < 1e-5


def test_several_warps_add_up(intensity):
    matrices = np.stack([reference.pose_matrix(pose, 29.5, 19.5, 14.0) for pose in POSES.values()])
    total = np.zeros((40, 60, 3), np.float32)
    add_warped(intensity, matrices, pixel_numbers(60), 1 / 6, total)
    assert np.abs(total - np.mean([reference.warped(intensity, m, 60, 40) for m in matrices], axis=0)).max() < 1e-5


def test_an_unmoved_camera_sees_the_picture_itself(intensity):
    total = np.zeros((40, 60, 3), np.float32)
    add_warped(intensity, np.array([[[1.0, 0, 5], [0, 1, 7]]]), pixel_numbers(60), 1.0, total)
    assert np.array_equal(total, intensity[7:47, 5:65])


@pytest.mark.parametrize("frames", [1, 3, 7, 40])
def test_steps_are_as_many_as_the_path_is_long(frames):
    """A path along which the camera speeds up: steps in proportion to the part of its length that a frame has."""
    t = np.linspace(0, 1, 29)
    poses = np.zeros((29, 4), np.float32)
    poses[:, 0] = 50 * t**2
    counts = np.empty(frames, np.int64)
    count_steps(poses, 100.0, 1.5, counts)
    borders = np.interp(np.linspace(0, 1, frames + 1), t, poses[:, 0])
    assert np.array_equal(counts, np.maximum(1, np.ceil(np.diff(borders) / 1.5 - 1e-4)))


def test_turning_and_zooming_count_at_the_corners():
    poses = np.zeros((5, 4), np.float32)
    poses[:, 2] = np.linspace(0, 0.1, 5)
    poses[:, 3] = np.linspace(0, 0.05, 5)
    counts = np.empty(1, np.int64)
    count_steps(poses, 100.0, 1.0, counts)
    assert counts[0] == pytest.approx(15, abs=1)


def test_each_frame_is_seen_from_its_own_part_of_the_path():
    poses = np.random.default_rng(0).normal(0, 1, (9, 4)).astype(np.float32) * np.float32([3, 3, 0.02, 0.02])
    counts = np.array([1, 3, 2])
    matrices = np.empty((6, 2, 3))
    path_matrices(poses, counts, 29.5, 19.5, 14.0, matrices)
    times = np.array([0.5, 1 + 1 / 6, 1.5, 1 + 5 / 6, 2.25, 2.75]) / 3 * 8
    for time, matrix in zip(times, matrices, strict=True):
        pose = [np.interp(time, np.arange(9), poses[:, k]) for k in range(4)]
        assert np.allclose(matrix, reference.pose_matrix(pose, 29.5, 19.5, 14.0), atol=1e-5)
