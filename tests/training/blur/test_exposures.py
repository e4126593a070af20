"""The one function that makes pairs: stills and windows, whole frames and views, still and moving cameras."""

from __future__ import annotations

import numpy as np
import pytest

from streamdeblur.training.blur.averaging import Window
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import average_clip, average_clips, expose
from streamdeblur.training.blur.response import identity, srgb
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.sensor import Degradations
from streamdeblur.training.blur.trajectories import sample_kernel
from streamdeblur.training.blur.view import View
from support.media.motion import panned, steady
from support.reference import blur as reference

WINDOW = Window((1, 2, 4, 5, 6), "predefined", 8.0)


@pytest.fixture(scope="module")
def frames(photograph):
    return panned(photograph, steady(2, 9), (120, 90)).frames


def mean(frames, response):
    total = response.linearise(frames[list(WINDOW.frames)]).astype(np.int64).sum(axis=0)
    return response.develop((2 * total + WINDOW.length) // (2 * WINDOW.length))


def test_a_still_without_motion_stays_as_it_is(frames):
    pair = expose([frames[0]], None, srgb())
    assert np.array_equal(pair.blurry, frames[0])
    assert np.array_equal(pair.sharp, frames[0])
    assert (pair.kernel, pair.record) == (None, {})


@pytest.mark.parametrize("response", [identity(), srgb()], ids=lambda response: response.name)
def test_a_window_is_averaged_in_linear_intensity(frames, response):
    by_number = {number: frames[number] for number in WINDOW.frames}
    pair = expose(by_number, WINDOW, response)
    assert np.array_equal(pair.blurry, mean(frames, response))
    assert np.array_equal(pair.sharp, frames[4])
    assert pair.record == {"length": 5, "first": 1, "last": 6, "stopped_by": "predefined", "motion_px": 8.0}


def test_a_view_shows_the_same_part_of_both_pictures(frames):
    view = View.square(20, 10, 64, 64)
    pair = expose(frames, WINDOW, srgb(), view=view)
    there = slice(10, 74), slice(20, 84)
    assert np.array_equal(pair.sharp, frames[4][there])
    assert np.abs(pair.blurry.astype(int) - mean(frames, srgb())[there]).max() <= 1


def test_a_view_that_is_resampled_scales_the_motion_of_its_record(frames):
    pair = expose(frames, WINDOW, srgb(), view=View.square(20, 10, 64, 32))
    assert pair.blurry.shape == pair.sharp.shape == (32, 32, 3)
    assert pair.record["motion_px"] == 4.0


def test_a_kernel_convolves_and_comes_with_the_pair(frames):
    kernel = sample_kernel(np.random.default_rng(2), 9.0, size=11)
    pair = expose([frames[0]], None, srgb(), kernel)
    assert np.array_equal(pair.kernel, kernel)
    intensity = srgb().linearise(frames[0]).astype(np.float64) / srgb().full
    expected = reference.codes(reference.convolve(intensity, kernel), srgb().to_code)
    assert np.abs(pair.blurry[5:-5, 5:-5].astype(int) - expected).max() <= 1


def test_defocus_is_part_of_the_kernel(frames):
    kernel = sample_kernel(np.random.default_rng(2), 3.0)
    pair = expose([frames[0]], None, srgb(), kernel, degradations=Degradations(defocus=2.0))
    assert np.count_nonzero(pair.kernel) > np.count_nonzero(kernel)
    assert pair.kernel.sum() == pytest.approx(1.0, abs=1e-4)


def test_a_camera_that_moves_blurs_more_than_one_that_stands_still(frames):
    height, width = frames.shape[1:3]
    still = expose(frames, WINDOW, srgb(), CameraPath.still(WINDOW.length, width, height))
    assert np.abs(still.blurry.astype(int) - mean(frames, srgb())).max() <= 1
    path = CameraPath.sample(np.random.default_rng(1), WINDOW.length, 20.0, width, height)
    shaken = expose(frames, WINDOW, srgb(), path)
    errors = [np.square(pair.blurry.astype(float) - pair.sharp).mean() for pair in (still, shaken)]
    assert errors[1] > 1.5 * errors[0]


def test_a_mirrored_pair_has_a_mirrored_kernel(frames):
    kernel = sample_kernel(np.random.default_rng(2), 9.0, size=11)
    pair = expose([frames[0]], None, srgb(), kernel)
    mirrored = pair.mirrored()
    assert np.array_equal(mirrored.blurry, pair.blurry[:, ::-1])
    assert np.array_equal(mirrored.sharp, pair.sharp[:, ::-1])
    assert np.array_equal(mirrored.kernel, kernel[:, ::-1])


@pytest.mark.parametrize("response", [identity(), srgb()], ids=lambda response: response.name)
def test_averages_are_exact(photograph, response):
    clip = panned(photograph, steady(3, 17))
    for scheme in (BlurScheme("vla"), BlurScheme("pravg", 9)):
        for window, pair in average_clip(clip, scheme, response, every=2):
            frames = clip.frames[list(window.frames)]
            total = response.linearise(frames).astype(np.int64).sum(axis=0)
            count = window.length
            assert np.array_equal(pair.blurry, response.develop((2 * total + count) // (2 * count)))
            assert np.array_equal(pair.sharp, clip.frames[window.middle])


def test_clips_are_averaged_in_their_order(photograph):
    clips = [panned(photograph, steady(step, 15)) for step in (1, 2, 3, 4)]
    together = list(average_clips(clips, BlurScheme("vla"), srgb(), every=3, workers=3))
    for clip, averages in zip(clips, together, strict=True):
        alone = list(average_clip(clip, BlurScheme("vla"), srgb(), every=3))
        assert [window for window, _ in averages] == [window for window, _ in alone]
        assert all(np.array_equal(a.blurry, b.blurry) for (_, a), (_, b) in zip(averages, alone, strict=True))
