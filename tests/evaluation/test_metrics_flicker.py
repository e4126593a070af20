"""Flicker of videos with known motion, known flicker and known landmarks."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from streamdeblur.evaluation.cases import Case
from streamdeblur.evaluation.metrics.flicker import (
    FlickerMeter,
    flicker_along_track,
    residual_flicker,
    smoothed,
    track_of,
    velocity_error,
)
from support.media.motion import panned, steady


@pytest.fixture(scope="module")
def moving(photograph):
    """Seven frames of a face that moves by 3 px a frame, of middling brightness: uint8 RGB [128, 128, 3]."""
    return [frame // 2 + 30 for frame in panned(photograph, steady(3, 7)).frames]


@pytest.fixture(scope="module")
def blurred(moving):
    return [cv2.blur(frame, (9, 1)) for frame in moving]


def test_regained_motion_is_no_flicker(moving, blurred):
    plain = [np.mean([np.abs(b.astype(float) - a).mean() for a, b in pairwise(frames)]) for frames in (moving, blurred)]
    assert plain[0] > 1.3 * plain[1], "the sharp video changes more than the blurry one"
    assert residual_flicker(moving, moving) == 0.0
    assert residual_flicker(blurred, moving) > 1.0


def test_an_error_that_stays_is_no_flicker_and_one_that_changes_is(moving):
    brighter = [frame + np.uint8(9) for frame in moving]
    flickering = [frame + np.uint8(6 * (n % 2)) for n, frame in enumerate(moving)]
    assert residual_flicker(brighter, moving) == 0.0
    assert residual_flicker(flickering, moving) == pytest.approx(6.0)


def test_flicker_without_a_reference_follows_the_motion(moving):
    flickering = [frame + np.uint8(6 * (n % 2)) for n, frame in enumerate(moving)]
    steady_flicker = flicker_along_track(moving, moving)
    plain = np.mean([np.abs(b.astype(float) - a).mean() for a, b in pairwise(moving)])
    assert steady_flicker < 0.2 * plain
    assert flicker_along_track(flickering, moving) == pytest.approx(6.0, abs=1.5 * steady_flicker)


def test_velocity_errors_are_of_steps_alone():
    true = np.cumsum(np.full((6, 68, 2), 2.0), axis=0)
    assert velocity_error(true + 5.0, true) == 0.0
    jitter = np.zeros((6, 68, 2))
    jitter[1::2, :, 0] = 1.5
    assert velocity_error(true + jitter, true) == pytest.approx(1.5)


def test_a_smoothed_track_keeps_a_turn_and_loses_jitter():
    time = np.arange(9.0)[:, None, None]
    turn = 0.3 * time**2 + 2.0 * time + np.zeros((9, 68, 2))
    assert smoothed(turn) == pytest.approx(turn)
    jitter = turn + np.where(np.arange(9) % 2, 1.0, -1.0)[:, None, None]
    assert velocity_error(smoothed(jitter), turn) < 0.3 * velocity_error(jitter, turn)
    assert np.array_equal(smoothed(turn[:2]), turn[:2]), "too short to be smoothed"


def brightest(crop):
    """Finds all 68 points where a crop is brightest."""
    weights = np.square(crop[..., 0].astype(float))
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.tile([(x * weights).sum() / weights.sum(), (y * weights).sum() / weights.sum()], (68, 1))


def spot(x, y=32.0):
    """A bright spot with its centre at this place."""
    rows, columns = np.mgrid[:64, :64]
    return np.rint(255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18))[..., None].repeat(3, -1).astype(np.uint8)


def test_landmarks_are_found_to_a_fraction_of_a_pixel():
    rounded = track_of([spot(20.3), spot(22.8)], lambda crop: np.rint(brightest(crop)))
    assert rounded[:, 0, 0] == pytest.approx([20.3, 22.8], abs=0.15)


def run_of(blurry, sharp):
    sharps = sharp or [None] * len(blurry)
    return [Case(f"run/{n}", one, other, "clip") for n, (one, other) in enumerate(zip(blurry, sharps, strict=True))]


def test_a_run_is_measured_against_its_sharp_frames():
    sharp = [spot(20 + 2 * n) for n in range(5)]
    blurry = [spot(20 + 2 * n + n % 2) for n in range(5)]
    meter = FlickerMeter(brightest)
    own, perfect = (meter(run_of(blurry, sharp), restored) for restored in (blurry, sharp))
    assert (own.flicker, own.velocity) == (own.blurry_flicker, own.blurry_velocity)
    assert own.velocity == pytest.approx(1.0, abs=0.02)
    assert (perfect.flicker, perfect.velocity) == (0.0, 0.0)
    assert perfect.blurry_flicker == own.flicker > 0.0
    assert (perfect.reference, perfect.group) == (True, "clip")


def test_without_sharp_frames_the_smoothed_track_is_the_reference():
    blurry = [spot(16 + 2 * n + n % 2) for n in range(9)]
    steadier = [spot(16.5 + 2 * n) for n in range(9)]
    meter = FlickerMeter(brightest)
    own, restored = (meter(run_of(blurry, None), frames) for frames in (blurry, steadier))
    assert not own.reference
    assert own.velocity == own.blurry_velocity
    assert restored.velocity < 0.4 * own.velocity


def test_without_a_detector_only_pixels_are_measured(moving, blurred):
    found = FlickerMeter(None)(run_of(blurred, moving), blurred)
    assert (found.velocity, found.blurry_velocity) == (None, None)
    assert found.flicker == found.blurry_flicker > 0.0


@pytest.mark.parametrize(
    ("measure", "frames"),
    [(residual_flicker, 1), (flicker_along_track, 2), (velocity_error, 1)],
    ids=["residual flicker", "flicker along a track", "velocity error"],
)
def test_too_few_frames_are_no_video(moving, measure, frames):
    with pytest.raises(ValueError, match="same length, of"):
        measure(np.stack(moving[:frames]), np.stack(moving[:frames]))
    with pytest.raises(ValueError, match="same length, of"):
        measure(moving[1:], moving)
