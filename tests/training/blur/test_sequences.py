"""Sequences of exposures: each is what its kernel makes of the sharp picture, and none overlaps another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from streamdeblur.training.blur.convolution import convolve
from streamdeblur.training.blur.face_motion import FACE, MESH, FaceMotion, translation
from streamdeblur.training.blur.response import open_response
from streamdeblur.training.blur.sensor import Degradations
from streamdeblur.training.blur.sequences import Course, expose_still
from streamdeblur.training.blur.shake import Shake, kernel_at
from streamdeblur.training.blur.view import View
from support.metrics import psnr

IDENTITY = open_response("identity")
CROP = View.square(0, 0, 256, 256)
VIEW = View.square(32, 48, 128, 128, 1.0)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture(scope="module")
def still(photograph):
    return photograph[100:356, 300:556].copy()


def course(random, exposures=4, extent=14.0, motion=None, drift=None):
    shake = Shake.sample(random, exposures, extent, 0.6)
    drift = np.zeros((exposures, 4)) if drift is None else drift
    return Course(shake, motion or FaceMotion.still(exposures + 1), 0.6, drift)


def test_each_exposure_is_the_still_under_its_kernel(still, rng):
    """Of a still face, whose kernels hold the tracker's shifts, too."""
    drift = np.zeros((4, 4))
    drift[:3, :2] = rng.uniform(-3, 3, (3, 2))
    sequence = expose_still(still, CROP, VIEW, course(rng, drift=drift), IDENTITY)
    assert sequence.blurry.shape == (4, 128, 128, 3)
    assert np.array_equal(sequence.sharp, still[48:176, 32:160])
    margin = 20
    intensity = VIEW.intensity(still, IDENTITY, margin)
    for blurry, kernel in zip(sequence.blurry, sequence.kernels, strict=True):
        assert kernel.sum() == pytest.approx(1, abs=1e-4)
        expected = np.rint(convolve(intensity, kernel) * 255)
        assert np.abs(blurry - expected).max() <= 1


def test_the_present_has_the_extent_that_was_asked_for_and_no_shift(rng):
    for extent in (1.0, 6.0, 20.0):
        positions = Shake.sample(rng, 3, extent, 0.5).positions
        assert np.allclose(positions.mean(1), 0, atol=1e-4)
        assert np.ptp(positions[-1], axis=0).max() <= extent - 1 + 1e-3
        assert np.ptp(positions, axis=1).max() < 41


def test_exposures_are_consecutive_parts_of_one_path_that_do_not_overlap(rng):
    """With a shutter that closes earlier, each exposure is the beginning of what it was, to one scale; and the path goes on, so
    that from an exposure to the next it moves on as within them."""
    whole = Shake.sample(np.random.default_rng(5), 3, 20.0, 1.0, "handshake").positions
    cut = Shake.sample(np.random.default_rng(5), 3, 20.0, 0.5, "handshake").positions
    begin = whole[:, : cut.shape[1]] - whole[:, : cut.shape[1]].mean(1, keepdims=True)
    assert cut.shape[1] == whole.shape[1] // 2
    assert np.allclose(cut, begin * (np.ptp(cut) / np.ptp(begin)), atol=1e-3)
    steps = np.diff(whole, axis=1)
    lengths = np.linalg.norm(steps, axis=2)
    assert lengths.max() < 12 * lengths.mean()
    for before, after in itertools.pairwise(steps):
        assert np.linalg.norm(after[0] - before[-1]) < 0.5 * lengths.mean()


def test_a_kernel_is_the_mean_of_its_positions():
    positions = np.array([[0.0, 0.0], [2.5, -1.0], [4.0, 3.25]])
    kernel = kernel_at(positions)
    places = np.arange(41) - 20
    assert kernel.sum() == pytest.approx(1)
    assert kernel.sum(0) @ places == pytest.approx(positions[:, 0].mean())
    assert kernel.sum(1) @ places == pytest.approx(positions[:, 1].mean())


def test_a_mesh_follows_the_motion_of_a_clip():
    """A picture that moves by (2, -1) pixels per frame moves all nodes so."""
    flows = [np.broadcast_to(np.array([2.0, -1.0], np.float32), (20, 20, 2))] * 3
    motion = FaceMotion.of_clip(flows, (150, 150), 200, 300)
    assert motion.fields.shape == (4, MESH, MESH, 2)
    assert np.allclose(motion.at(3) * 200, [6, -3], atol=1e-3)
    assert np.allclose(motion.at(1.5) * 200, [3, -1.5], atol=1e-3)
    assert np.allclose(translation(motion.at(2)) * 200, [4, -2], atol=1e-3)


def turning(moments, pixels):
    """A face whose middle moves more than its border, as of a turning head."""
    field = np.zeros((MESH, MESH, 2), np.float32)
    field[FACE, FACE, 0] = np.outer(np.hanning(9), np.hanning(9)) * pixels / 256
    return FaceMotion(np.stack([field * moment for moment in range(moments)]))


def test_a_face_that_changes_has_no_kernel_where_no_kernel_explains_it(still, rng):
    sequence = expose_still(still, CROP, CROP, course(rng, 3, 5.0, turning(4, 12.0)), IDENTITY)
    known = sequence.kernels.any((1, 2))
    assert not known[0]
    assert not sequence.kernels[0].any()


def test_the_present_shows_the_still_itself_in_the_middle_of_its_exposure(still, rng):
    """Without blur, a moving face is where the still has it; earlier exposures show it where it was."""
    sequence = expose_still(still, CROP, CROP, course(rng, 3, 1.0, turning(4, 1.0)), IDENTITY)
    assert psnr(sequence.blurry[-1], still) > 40
    assert psnr(sequence.blurry[-1], still) > psnr(sequence.blurry[0], still) + 3


@pytest.mark.parametrize("key", [7, (1 << 32) - 1])
def test_noise_of_each_exposure_is_independent_of_the_others(rng, key):
    """At each shift of it by some samples, and in means of pixels as well."""
    gray = np.full((256, 256, 3), 128, np.uint8)
    noisy = expose_still(gray, CROP, CROP, course(rng, 5, 1.0), IDENTITY, Degradations(noise=8.0, key=key))
    rows = noisy.blurry.astype(float).reshape(len(noisy.blurry), -1)
    rows -= rows.mean(1, keepdims=True)
    means = [row.reshape(64, 4, 64, 12).mean((1, 3)).ravel() for row in rows]
    for one, other in itertools.combinations(range(len(rows)), 2):
        for shift in range(-12, 13):
            assert abs(np.corrcoef(rows[one][20:-20], np.roll(rows[other], shift)[20:-20])[0, 1]) < 0.02
        assert abs(np.corrcoef(means[one], means[other])[0, 1]) < 0.1


def test_compression_runs_over_all_exposures(still, rng):
    coded = expose_still(still, CROP, VIEW, course(rng, 3, 1.0), IDENTITY, Degradations(h264=34.0))
    # a picture that does not change costs a P frame nothing: it repeats the one before
    assert psnr(coded.blurry[0], coded.blurry[2]) > psnr(coded.blurry[0], coded.sharp)


def test_mirroring_keeps_kernels_true(still, rng):
    sequence = expose_still(still, CROP, VIEW, course(rng), IDENTITY).mirrored()
    intensity = np.ascontiguousarray(VIEW.intensity(still, IDENTITY, 20)[:, ::-1])
    expected = np.rint(convolve(intensity, sequence.kernels[0]) * 255)
    assert np.abs(sequence.blurry[0] - expected).max() <= 1
