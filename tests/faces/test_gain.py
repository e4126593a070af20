"""The gain to be expected, and what is made of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import OptionError
from streamdeblur.faces.gain import ALWAYS, FARTHEST, GainEstimator, described
from streamdeblur.faces.hysteresis import FADE_FRAMES, HELD_FRAMES, GainHysteresis
from streamdeblur.faces.window import FaceWindow, crop
from streamdeblur.options import RestorationOptions
from streamdeblur.video.planes import array_planes

KINDS = ("alone", "memory")


@pytest.fixture(scope="module")
def face_crop(photograph):
    return crop(array_planes(photograph), FaceWindow(796, 412, 200))


def moved(image, pixels):
    return cv2.filter2D(image, -1, np.full((1, pixels), 1 / pixels, np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_its_formula(face_crop, kind):
    estimator = GainEstimator.shipped(kind)
    values = (described(face_crop, 200).astype(float) - estimator.centre) / estimator.deviation
    values = np.clip(values, -FARTHEST, FARTHEST)
    (first, a), (second, b), (last, c) = estimator.layers
    expected = last @ np.tanh(second @ np.tanh(first @ values + a) + b) + c
    assert estimator(face_crop, 200) == pytest.approx(float(expected[0]), abs=1e-4)
    assert estimator(face_crop, 200) == estimator(face_crop.copy(), 200)


@pytest.mark.parametrize("kind", KINDS)
def test_motion_promises_more_than_none(face_crop, kind):
    estimator = GainEstimator.shipped(kind)
    slight, strong = (estimator(moved(face_crop, pixels), 256) for pixels in (5, 11))
    assert strong > estimator.threshold("gentle")
    assert strong > slight > estimator.threshold("normal")


@pytest.mark.parametrize("side", [20, 60, 200, 256, 900])
@pytest.mark.parametrize("value", [0, 255])
def test_any_crop_has_an_estimate(value, side):
    assert -1 < GainEstimator.shipped("alone")(np.full((256, 256, 3), value, np.uint8), side) < 4


def test_crops_of_every_size_have_one(face_crop):
    estimator = GainEstimator.shipped("alone")
    blurred = moved(face_crop, 9)
    gains = [estimator(cv2.resize(blurred, (size, size), interpolation=cv2.INTER_AREA), 128) for size in (128, 192, 256)]
    assert max(gains) - min(gains) < 1.5


def test_thresholds_have_names():
    estimator = GainEstimator.shipped("alone")
    assert estimator.threshold("always") == ALWAYS
    assert 0 < estimator.threshold("normal") < estimator.threshold("gentle")
    assert estimator.threshold(0.4) == 0.4


def test_a_face_that_may_gain_is_restored_at_once_and_fades_later():
    face = GainHysteresis()
    assert face.update(0.9, threshold=0.2) == 1.0
    left = GainHysteresis()
    assert left.update(0.1, threshold=0.2) == 0.0
    weights = [left.update(0.9, threshold=0.2) for _ in range(FADE_FRAMES + 1)]
    assert weights == sorted(weights)
    assert (weights[0], weights[-1]) == (1 / FADE_FRAMES, 1.0)


def test_a_face_that_is_sharp_now_and_then_does_not_alternate():
    face = GainHysteresis()
    gains = [1.5, 0.0, 0.1, 0.0, 0.0, 0.9, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 1.2] * 3
    assert {face.update(gain, threshold=0.2) for gain in gains} == {1.0}


def test_restoration_ends_when_nothing_is_to_be_gained_for_long():
    face = GainHysteresis()
    face.update(0.5, threshold=0.2)
    weights = [face.update(0.0, threshold=0.2) for _ in range(3 * HELD_FRAMES)]
    assert weights[-1] == 0.0
    assert weights == sorted(weights, reverse=True)
    assert weights[HELD_FRAMES - 1] == 1.0


def test_thresholds_are_settings(face_picture):
    assert RestorationOptions().threshold == "normal"
    assert RestorationOptions(threshold="0.4").threshold == 0.4
    assert RestorationOptions(threshold=" Gentle ").threshold == "gentle"
    for wrong in ("soft", -1, 25, "nan", True):
        with pytest.raises(OptionError, match=r"threshold: must be one of gentle, normal, always, or a gain of 0 to 20 dB"):
            RestorationOptions(threshold=wrong)


def test_a_threshold_beside_always_has_no_effect_and_that_is_said(caplog):
    with FaceDeblurrer(network="lite", threshold="gentle", always=True) as deblurrer:
        assert deblurrer._settings().threshold == ALWAYS
    assert "threshold has no effect" in caplog.text


def test_the_threshold_decides_and_the_score_is_told(face_picture):
    blurred = cv2.blur(face_picture, (9, 1))
    with FaceDeblurrer(network="lite", threshold=20.0) as deblurrer:
        assert np.array_equal(deblurrer(blurred), blurred)
        faces = deblurrer.judged_faces
        gain = max(face.gain for face in faces)
        assert 0.3 < gain < 4
        assert {face.weight for face in faces} == {0.0}
        assert deblurrer.statistics.expected_gain == pytest.approx(np.mean([face.gain for face in faces]), abs=0.01)
        deblurrer.options = deblurrer.options.changed(threshold=gain - 0.1)
        deblurrer.reset()
        assert not np.array_equal(deblurrer(blurred), blurred)
        deblurrer.options = deblurrer.options.changed(threshold="always")
        deblurrer.reset()
        assert not np.array_equal(deblurrer(face_picture), face_picture)
        with pytest.raises(ValueError, match="A threshold is one of gentle"):
            deblurrer._settings(threshold="soft")
