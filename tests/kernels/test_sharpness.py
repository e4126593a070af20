"""The blur measure against its NumPy reference, and on faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.faces.blur import FADE_FRAMES, SHARP_BELOW, BlurHysteresis, blur_of
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.kernels.sharpness import blur_effect, reduced_luma
from streamdeblur.video.planes import array_planes


def reference(luma):
    values = []
    for picture in (luma.astype(float), luma.T.astype(float)):
        change = np.abs(picture[:, 5:-4] - picture[:, 4:-5])
        smooth = np.abs(picture[:, 9:] - picture[:, :-9]) / 9
        values.append(1 - np.maximum(0, change - smooth).sum() / change.sum())
    return max(values)


def test_blur_effect_is_its_reference():
    luma = np.random.default_rng(0).uniform(0, 255, (50, 60)).astype(np.float32)
    assert blur_effect(luma) == pytest.approx(reference(luma), abs=1e-5)


def test_reduced_luma_is_the_sum_of_squares():
    crop = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    expected = crop[8:56, 8:56, 1].reshape(16, 3, 16, 3).astype(float).sum((1, 3))
    assert np.allclose(reduced_luma(crop, 8, 56, 3), expected)


@pytest.fixture(scope="module")
def face_crop(photograph):
    return crop(array_planes(photograph), FaceWindow(796, 412, 200))


def test_blur_rises_with_motion_and_noise_does_not_hide_it(face_crop):
    def moved(pixels):
        kernel = np.zeros((41, 41), np.float32)
        kernel[20, 20 - pixels // 2 : 20 + pixels // 2 + 1] = 1
        return cv2.filter2D(face_crop, -1, kernel / kernel.sum())

    values = [blur_of(moved(pixels), 256) for pixels in (0, 4, 8, 16, 24)]
    assert values == sorted(values)
    noisy = np.clip(moved(16) + np.random.default_rng(0).normal(0, 4, face_crop.shape), 0, 255).astype(np.uint8)
    assert blur_of(noisy, 256) > SHARP_BELOW


def test_a_face_with_few_pixels_is_taken_for_blurred(face_crop):
    assert blur_of(face_crop, 60) == 1.0


def test_the_gate_has_hysteresis_and_fades():
    hysteresis = BlurHysteresis()
    assert hysteresis.update(0.2) == 0.0
    assert hysteresis.update(0.395) == 0.0
    strengths = [hysteresis.update(0.9) for _ in range(FADE_FRAMES + 1)]
    assert strengths == sorted(strengths)
    assert strengths[0] == 1 / FADE_FRAMES
    assert strengths[-1] == 1.0
    assert hysteresis.update(0.395) == 1.0
    assert [hysteresis.update(0.1) for _ in range(FADE_FRAMES)][-1] == 0.0


def test_a_blurred_face_is_restored_from_its_first_frame():
    assert BlurHysteresis().update(0.9) == 1.0
