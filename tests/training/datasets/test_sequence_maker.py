"""Sequences from a seed and a number: the same in any order and thread, each exposure as its recipe says."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from streamdeblur.training.blur.sensor import Sensor
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, Recipe
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from support.media.motion import panned, steady
from support.metrics import psnr

SCHEMES = ["synthetic", "vla", "pravg", "vla+camera", "pravg+camera", "sharp", "mild"]
STEADY = {"moving": 0, "lost": 0, "stopped": 0, "strong_drift": 0, "spread": (0, 0, 0, 0)}


@pytest.fixture(scope="module")
def stills(photograph):
    return [np.ascontiguousarray(photograph[100:356, x : x + 256]) for x in (0, 300, 500)]


@pytest.fixture(scope="module")
def clips(photograph):
    return [panned(photograph, steady(step, 40), (300, 300)) for step in (1, 2)]


def recipe(*schemes, **sequences):
    """A recipe of these schemes alone, without degradations."""
    mix = {str(scheme): float(str(scheme) in schemes) for scheme in DEFAULT_MIX}
    return Recipe(mix=mix, sensor=Sensor.none(), lengths=(5,), sequences=sequences)


def same(first, second):
    arrays = ("blurry", "sharp", "kernels", "validity")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays) and first.record == second.record


def test_a_sequence_depends_on_seed_and_number_alone(stills, clips):
    forward = [SequenceMaker(stills, clips, seed=3, memory=2).sequence(n, size=96) for n in range(16)]
    maker = SequenceMaker(stills, clips, seed=3, memory=2)
    with ThreadPoolExecutor(4) as pool:
        backward = list(pool.map(lambda n: maker.sequence(n, size=96), reversed(range(16))))[::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    other = SequenceMaker(stills, clips, seed=4, memory=2)
    assert not any(same(a, other.sequence(n, size=96)) for n, a in enumerate(forward[:4]))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sequences_have_one_size(stills, clips, scheme):
    maker = SequenceMaker(stills, clips, recipe(scheme), memory=3)
    for n in range(3):
        sequence = maker.sequence(n, size=128)
        assert json.loads(json.dumps(sequence.record))["scheme"] == scheme
        assert (sequence.blurry.shape, sequence.blurry.dtype) == ((4, 128, 128, 3), np.uint8)
        assert sequence.sharp.shape == (128, 128, 3)
        assert sequence.kernels.shape == (4, 41, 41)
        assert sequence.validity.shape == (4,)
        assert sequence.validity[-1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_small_crop_shows_the_same_face_at_half_of_the_scale(stills, clips, scheme):
    maker = SequenceMaker(stills, clips, recipe(scheme, **STEADY | {"moving": 1.0}), memory=2)
    whole, small = maker.sequence(3), maker.sequence(3, crop=128)
    assert small.blurry.shape == (3, 128, 128, 3)
    assert small.sharp.shape == (128, 128, 3)
    halved = np.stack([cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA) for picture in whole.blurry])
    assert psnr(halved[:, 16:-16, 16:-16], small.blurry[:, 16:-16, 16:-16]) > 24
    if whole.kernels.any((1, 2)).all():
        reach = [np.abs(np.argwhere(one.kernels[0] > 1e-3) - 20).max() for one in (whole, small)]
        assert reach[1] <= reach[0] / 2 + 2


def test_what_was_lost_is_a_beginning_and_has_no_kernel(stills):
    maker = SequenceMaker(stills, [], recipe("synthetic", lost=1.0), memory=3)
    counts = set()
    for n in range(24):
        sequence = maker.sequence(n, size=64)
        counts.add(int(sequence.validity.sum()))
        assert np.array_equal(sequence.validity, np.sort(sequence.validity))
        assert not sequence.kernels[~sequence.validity].any()
    assert counts == {1, 2, 3, 4}


def test_exposures_of_a_clip_do_not_overlap_and_precede_the_present(clips):
    maker = SequenceMaker([], clips[1:], recipe("pravg", **STEADY), memory=2)
    seen = 0
    for n in range(12):
        sequence = maker.sequence(n)
        assert sequence.record["stride"] >= sequence.record["length"] == 5
        windows = [exposure.window for exposure in maker.plan_sequence(n).content.exposures if exposure is not None]
        assert all(window.length == 5 for window in windows)
        for earlier, later in itertools.pairwise(windows):
            assert earlier.frames[-1] < later.frames[0]
        seen += int(sequence.validity.sum()) == len(windows) == 3
    assert seen


def test_the_window_follows_a_face_that_moves(clips):
    """The window of each exposure lies on the face, which pans; so all exposures show the same."""
    maker = SequenceMaker([], clips, recipe("pravg", **STEADY), memory=2)
    whole = [s for s in (maker.sequence(n) for n in range(12)) if s.validity.all()]
    assert whole
    for sequence in whole:
        inner = (slice(None), slice(60, 196), slice(60, 196))
        assert psnr(sequence.blurry[inner][0], sequence.blurry[inner][2]) > 25


def test_what_the_tracker_leaves_adds_up_towards_earlier_exposures(stills):
    """As a head that turns slowly, or a window that comes to rest, does."""
    drifting = STEADY | {"spread": (2.0, 0.0, 0.0, 0.0), "spread_factors": (1.0, 1.0)}
    maker = SequenceMaker(stills, [], recipe("sharp", **drifting), memory=3)
    window = cv2.createHanningWindow((64, 64), cv2.CV_32F)
    shifts = []
    for n in range(120):
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in maker.sequence(n, size=64).blurry]
        shifts.append([cv2.phaseCorrelate(grey[-1], picture, window)[0] for picture in grey])
    across, down = np.median(np.abs(shifts), 0).T
    assert across[0] > 1.25 * across[2] > 0.8
    assert across[3] == pytest.approx(0.0, abs=1e-3)
    assert down.max() < 0.3


def test_noise_differs_between_the_exposures(stills):
    noisy = Sensor.none().model_copy(update={"noise": Sensor().noise.model_copy(update={"probability": 1.0})})
    maker = SequenceMaker(stills, [], recipe("mild", **STEADY).model_copy(update={"sensor": noisy}), memory=1)
    sequence = maker.sequence(0)
    assert sequence.record["degradations"].keys() == {"noise"}
    differences = sequence.blurry.astype(int) - sequence.sharp
    assert abs(np.corrcoef(differences[0, 40:90, 40:90].ravel(), differences[1, 40:90, 40:90].ravel())[0, 1]) < 0.9
