"""The virtual camera: its extent, its steps, the pictures under it."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.training.blur.camera import LARGEST_STEP, CameraPath, gather
from streamdeblur.training.blur.response import develop, identity, intensity_table, srgb
from support.media.motion import panned, steady


def sample(seed, frames=7, extent=12.0, size=(96, 80)):
    return CameraPath.sample(np.random.default_rng(seed), frames, extent, *size)


@pytest.mark.parametrize("extent", [1.0, 3.0, 12.5, 40.0])
def test_the_path_has_its_extent_and_no_mean(extent):
    for seed in range(5):
        path = sample(seed, extent=extent)
        assert path.extent == pytest.approx(extent, abs=1e-3)
        assert np.abs(path.poses.mean(axis=0)).max() < 1e-3


def test_no_pixel_moves_further_than_a_step():
    corners = np.array([[0, 0, 1], [95, 0, 1], [0, 79, 1], [95, 79, 1]]).T
    for seed in range(6):
        path = sample(seed, frames=5, extent=30.0)
        for matrices in path.matrices(0.0):
            positions = matrices @ corners
            moved = np.linalg.norm(np.diff(positions, axis=0), axis=1)
            # The speed of a hand varies: it moves unequal distances in equal times.
            assert moved.max(initial=0) < 2.5 * LARGEST_STEP
            assert moved.sum(axis=0).max() < len(matrices) * LARGEST_STEP


def test_the_camera_looks_nowhere_beyond_its_reach():
    corners = np.array([[0, 0, 1], [95, 0, 1], [0, 79, 1], [95, 79, 1]]).T
    for seed in range(20):
        path = sample(seed, extent=25.0)
        positions = np.concatenate(path.matrices(0.0)) @ corners
        assert np.abs(positions - corners[:2]).max() <= path.reach - 1


def test_paths_are_smooth_in_time():
    for seed in range(5):
        poses = sample(seed, frames=21, extent=30.0).poses[:, :2]
        steps = np.linalg.norm(np.diff(poses, axis=0), axis=1)
        bends = np.linalg.norm(np.diff(poses, 2, axis=0), axis=1)
        assert bends.max() < 0.35 * steps.max()


@pytest.mark.parametrize("response", [identity(), srgb()], ids=lambda response: response.name)
def test_a_resting_camera_averages_frames(photograph, response):
    frames = panned(photograph, steady(3, 5)).frames
    intensity = gather(frames, sample(0, frames=5, extent=1.0), 10, -6, response)
    part = np.pad(frames, ((0, 0), (6, 0), (0, 0), (0, 0)), "reflect")[:, :80, 10:106]
    expected = intensity_table(response)[part].mean(axis=0)
    assert np.abs(intensity - expected).max() < 1e-5


@pytest.mark.parametrize("value", [0, 30, 128, 255])
def test_a_flat_picture_stays_flat(value):
    frames = [np.full((60, 60, 3), value, np.uint8)] * 5
    intensity = gather(frames, sample(3, frames=5, extent=25.0, size=(60, 60)), 0, 0, srgb())
    assert (develop(intensity, srgb()) == value).all()


def test_a_point_leaves_the_path_without_gaps():
    """A point of light becomes an unbroken line: no copies of it show."""
    frame = np.zeros((81, 81, 3), np.uint8)
    frame[39:42, 39:42] = 255
    for seed in range(4):
        path = sample(seed, frames=3, extent=25.0, size=(81, 81))
        intensity = gather([frame] * 3, path, 0, 0, identity())[..., 0]
        assert intensity.sum() == pytest.approx(9.0, rel=0.02)
        centres = np.concatenate(path.matrices(0.0))
        # where the camera points further right, the point lies further left
        positions = 80 - (centres @ [40, 40, 1])
        on_path = intensity[np.rint(positions[:, 1]).astype(int), np.rint(positions[:, 0]).astype(int)]
        assert on_path.min() > 0.3 * intensity[intensity > 0.01 * intensity.max()].mean()
        assert np.ptp(np.flatnonzero(intensity.max(axis=0) > 0.05 * intensity.max())) >= np.ptp(positions[:, 0])


def test_blur_does_not_shift_the_picture():
    frame = np.zeros((81, 81, 3), np.uint8)
    frame[39:42, 39:42] = 255
    at = np.arange(81)
    for seed in range(4):
        intensity = gather([frame] * 5, sample(seed, frames=5, extent=20.0, size=(81, 81)), 0, 0, identity())[..., 1]
        assert (intensity.sum(axis=0) * at).sum() / intensity.sum() == pytest.approx(40, abs=0.3)
        assert (intensity.sum(axis=1) * at).sum() / intensity.sum() == pytest.approx(40, abs=0.3)


def test_highlights_are_blurred_before_they_clip():
    frame = np.zeros((41, 41, 3), np.uint8)
    frame[18:23, 18:23] = 255
    path = sample(1, frames=1, extent=9.0, size=(41, 41))
    plain, bright = (gather([frame], path, 0, 0, srgb(), gain) for gain in (None, 4.0))
    assert np.allclose(bright, 4.0 * plain, atol=1e-4)
    assert (develop(bright, srgb()) == 255).sum() > (develop(plain, srgb()) == 255).sum()
