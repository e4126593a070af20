"""Deconvolution with known kernels, and the estimation of unknown ones."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest

from streamdeblur.errors import OptionError
from streamdeblur.evaluation.deconvolution.blind import estimate_kernel
from streamdeblur.evaluation.deconvolution.exemplars import Exemplar, ExemplarEdges
from streamdeblur.evaluation.deconvolution.fourier import LeastSquares, closed, gradients
from streamdeblur.evaluation.deconvolution.nonblind import FINAL_STEPS, KNOWN_KERNEL, Final, deconvolve, shrunk
from streamdeblur.evaluation.deconvolution.priors import KERNEL_PRIORS, minima
from streamdeblur.evaluation.deconvolution.scales import Estimation, identity_kernel, luma_of
from streamdeblur.evaluation.deconvolution.variational import AnnealedNoise, CoupledPrior, _fitted, _solved
from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
from streamdeblur.training.blur.exposures import blur_image
from streamdeblur.training.blur.response import identity
from streamdeblur.training.blur.trajectories import sample_kernel, trimmed
from support.metrics import psnr


def line(length, side=15):
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2, side // 2 - length // 2 : side // 2 + length // 2 + 1] = 1 / length
    return kernel


def blurred_within(picture, kernel):
    """The middle 256 px of a picture, blurry and sharp: what lies beyond their border has come in."""
    top, left = ((side - 256) // 2 for side in picture.shape[:2])
    middle = slice(top, top + 256), slice(left, left + 256)
    return blur_image(picture, kernel, identity())[middle].copy(), picture[middle].copy()


@pytest.fixture(scope="module")
def face(face_picture):
    """uint8 RGB [320, 320, 3]."""
    return np.ascontiguousarray(face_picture[:, 60:380])


def test_least_squares_are_where_no_step_leads_down():
    random = np.random.default_rng(0)
    kernel = sample_kernel(random, 7.0, size=9)
    blurry, image, start = (random.random((24, 30), np.float32) for _ in range(3))
    slopes = random.standard_normal((2, 24, 30), np.float32)
    system = LeastSquares(kernel, 24, 30)

    def cost(x):
        terms = (system.blurred(x) - blurry, 0.7**0.5 * (gradients(x) - slopes), 0.3**0.5 * (x - image))
        return sum(float(np.square(term, dtype=np.float64).sum()) for term in terms)

    found = system.solve(system.data(blurry), slopes, 0.7, image, 0.3)
    least = cost(found)
    for direction in (start, random.standard_normal((24, 30), np.float32)):
        forward, back = (cost(found + np.float32(step) * direction) - least for step in (0.1, -0.1))
        assert forward > 0
        assert forward == pytest.approx(back, rel=1e-3)


def test_blur_is_that_of_the_training_data(face):
    kernel = trimmed(sample_kernel(np.random.default_rng(3), 11.0))
    expected = cv2.filter2D(face, -1, kernel[::-1, ::-1])
    planes = np.ascontiguousarray(face.transpose(2, 0, 1), np.float32)
    seen = LeastSquares(kernel, 320, 320).blurred(planes).transpose(1, 2, 0)
    inside = slice(20, -20)
    assert np.abs(seen[inside, inside] - expected[inside, inside]).max() <= 0.51
    assert np.abs(expected[inside, inside].astype(int) - blur_image(face, kernel, identity())[inside, inside]).max() <= 1


def test_a_closed_picture_has_no_seam():
    ramp = np.tile(np.linspace(0, 1, 50, dtype=np.float32), (40, 1))
    around = closed(ramp, 20)
    assert around.shape[0] >= 60
    assert around.shape[1] >= 70
    assert np.array_equal(around[:40, :50], ramp)
    assert np.abs(gradients(around)).max() < 1.05 / 20


@pytest.mark.parametrize("power", [1.0, 0.8, 0.5])
def test_shrinking_minimises_its_cost(power):
    values = np.linspace(-1, 1, 41, dtype=np.float32)
    slopes = np.stack([values, np.zeros_like(values)])
    tried = np.linspace(-1, 1, 4001)[:, None]
    cost = np.square(tried - values) / 2 + 0.1 * np.abs(tried) ** power
    assert np.abs(shrunk(slopes, 0.1, power)[0] - tried[cost.argmin(0), 0]).max() < 2e-3


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_what_a_known_kernel_took_away_comes_back(face, noise):
    """Also near the border, beyond which nothing is known."""
    blurry, sharp = blurred_within(face, line(13))
    blurry = np.clip(np.rint(blurry + np.random.default_rng(1).normal(0, noise, blurry.shape)), 0, 255).astype(np.uint8)
    restored = deconvolve(blurry, line(13), KNOWN_KERNEL)
    assert (restored.dtype, restored.shape) == (np.uint8, blurry.shape)
    assert psnr(sharp, restored) > psnr(sharp, blurry) + 4
    border = slice(0, 12)
    assert psnr(sharp[:, border], restored[:, border]) > psnr(sharp[:, border], blurry[:, border]) + 1


@pytest.mark.parametrize("final", FINAL_STEPS)
def test_no_blur_is_left_alone_but_for_the_smallest_details(face, final):
    nothing = np.ones((1, 1), np.float32)
    assert psnr(face, deconvolve(face, nothing, FINAL_STEPS[final])) > 32


def test_minima_are_the_least_pixels_of_the_patches():
    plane = np.random.default_rng(5).random((20, 30), np.float32)
    expected = np.zeros(plane.shape, bool)
    for y, x in np.ndindex(*plane.shape):
        top, left = max(0, y - 2), max(0, x - 2)
        patch = plane[top : y + 3, left : x + 3]
        line, column = np.unravel_index(patch.argmin(), patch.shape)
        expected[top + line, left + column] = True
    assert np.array_equal(minima(plane, 5), expected)


def cosine(kernel, true):
    """The largest of two kernels of one size, over all shifts."""
    spectra = [np.fft.rfft2(k, (128, 128)) for k in (kernel, true)]
    return np.fft.irfft2(spectra[0] * np.conj(spectra[1])).max() / np.linalg.norm(kernel) / np.linalg.norm(true)


@pytest.mark.parametrize("name", KERNEL_PRIORS)
def test_kernels_are_found(face, name):
    blurry, sharp = blurred_within(face, line(13))
    kernel = estimate_kernel(blurry, KERNEL_PRIORS[name], Estimation(side=21))
    assert (kernel.dtype, kernel.shape) == (np.float32, (21, 21))
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-4)
    assert cosine(kernel, line(13, 21)) > 0.8
    assert psnr(sharp, deconvolve(blurry, kernel, FINAL_STEPS["tv"])) > psnr(sharp, blurry) + 1


@pytest.mark.parametrize("estimate", [AnnealedNoise(), CoupledPrior()], ids=["babacan", "zhang"])
def test_kernels_are_found_by_variational_bayes(face, estimate):
    blurry, sharp = (picture[16:240, 16:240] for picture in blurred_within(face, line(9)))
    kernel = estimate(blurry, Estimation(side=15))
    assert (kernel.dtype, kernel.shape) == (np.float32, (15, 15))
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-4)
    assert cosine(kernel, line(9)) > 0.8
    assert psnr(sharp, deconvolve(blurry, kernel, FINAL_STEPS["tv"])) > psnr(sharp, blurry) + 1


def test_the_mean_of_the_posterior_solves_its_equation():
    random = np.random.default_rng(2)
    system = LeastSquares(line(5), 24, 30)
    blurry, weights = random.standard_normal((2, 24, 30), np.float32), random.uniform(0.01, 1, (2, 24, 30)).astype(np.float32)
    found = _solved(system, blurry, weights, float(np.square(line(5)).sum()), blurry, 60)
    assert np.abs(system.correlated(system.blurred(found)) + weights * found - system.correlated(blurry)).max() < 1e-3
    first, second = random.standard_normal((2, 24, 30), np.float32)
    assert np.vdot(system.blurred(first), second) == pytest.approx(np.vdot(first, system.correlated(second)), rel=1e-3)


def test_the_kernel_of_known_edges_is_theirs_but_for_the_sum():
    edges = np.random.default_rng(4).standard_normal((2, 48, 60), np.float32)
    kernel = sample_kernel(np.random.default_rng(3), 7.0, size=9)
    blurry = np.fft.rfft2(LeastSquares(kernel, 48, 60).blurred(edges))
    assert np.abs(_fitted(edges, blurry, 0.0, identity_kernel(9)) - kernel).max() < 1e-2


@pytest.fixture(scope="module")
def exemplars(faces):
    """Four sharp faces, and landmarks where they usually are in a window: contours need no more here."""
    angles = np.linspace(0, np.pi, 17)
    outline = np.stack([128 - 72 * np.cos(angles), 128 + 78 * np.sin(angles)], 1)
    rest = np.random.default_rng(0).uniform(90, 160, (51, 2))
    return [Exemplar(luma_of(picture), np.concatenate([outline, rest])) for picture in faces[:4]]


@pytest.fixture(scope="module")
def detected_exemplars(faces):
    """The same faces with their own landmarks."""
    detector = open_landmark_detector("heatmap")
    return [Exemplar(luma_of(picture), np.asarray(detector(picture), np.float64)) for picture in faces[:4]]


def test_the_exemplar_of_a_blurry_face_is_the_sharp_one(faces, exemplars):
    """Also where it is moved, and in a window of another size."""
    edges = ExemplarEdges(exemplars)
    for number in (0, 2):
        blurry = np.roll(cv2.filter2D(faces[number], -1, line(9)), 7, 0)
        assert edges.matched(luma_of(blurry)) is exemplars[number]
        assert edges.matched(luma_of(cv2.resize(blurry, (192, 192)))) is exemplars[number]


def test_salient_edges_lie_on_the_contours_of_the_exemplar_moved_to_the_face(faces, exemplars):
    edges = ExemplarEdges(exemplars)
    salient = edges.salient(luma_of(np.roll(faces[1], (8, -4), (0, 1))))
    expected = gradients(exemplars[1].luma) * exemplars[1].contours()
    inside = slice(20, -20), slice(20, -20)
    moved = np.roll(expected, (8, -4), (1, 2))
    assert np.abs(salient - moved)[:, *inside].max() < 1e-4
    assert 0.01 < np.count_nonzero(exemplars[1].contours()) / 256**2 < 0.2


def test_kernels_are_found_with_other_peoples_faces(face, exemplars):
    blurry, sharp = (picture[32:224, 32:224] for picture in blurred_within(face, line(9)))
    kernel = ExemplarEdges(exemplars)(blurry, Estimation(side=15))
    assert cosine(kernel, line(9)) > 0.7
    assert psnr(sharp, deconvolve(blurry, kernel, FINAL_STEPS["tv"])) > psnr(sharp, blurry) + 1


@pytest.mark.parametrize("name", [*KERNEL_PRIORS, "babacan", "zhang", "exemplars"])
def test_the_kernel_of_a_shaking_hand_is_found_at_the_size_of_use(face, detected_exemplars, name):
    others = {"babacan": AnnealedNoise(), "zhang": CoupledPrior(), "exemplars": ExemplarEdges(detected_exemplars)}
    estimate = others.get(name) or partial(estimate_kernel, prior=KERNEL_PRIORS[name])
    shake = sample_kernel(np.random.default_rng(1), 18.0, size=41)
    blurry, sharp = blurred_within(face, shake)
    kernel = estimate(blurry, settings=Estimation())
    assert kernel.shape == (41, 41)
    assert cosine(kernel, shake) > 0.7
    assert psnr(sharp, deconvolve(blurry, kernel, FINAL_STEPS["tv"])) > psnr(sharp, blurry) + 2


@pytest.mark.parametrize("estimate", [partial(estimate_kernel, prior=KERNEL_PRIORS["pan-l0"]), AnnealedNoise(), CoupledPrior()])
def test_a_picture_without_edges_has_no_blur(estimate):
    kernel = estimate(np.full((96, 96, 3), 90, np.uint8), settings=Estimation(side=11))
    assert np.argwhere(kernel).tolist() == [[5, 5]]


def test_settings_are_checked():
    with pytest.raises(OptionError, match="odd"):
        Estimation(side=20)
    with pytest.raises(OptionError, match="power"):
        Final(power=0.0, weight=1e-3)
