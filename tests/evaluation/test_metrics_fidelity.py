"""PSNR, SSIM and gradient error against other people's implementations, and on images whose figures can be worked out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.metrics

from streamdeblur.evaluation.metrics.fidelity import gmsd, gradient_error, psnr, ssim, uniform_ssim

CLOSE = 1e-6
WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
"""Arguments with which scikit-image computes the SSIM of Wang et al. 2004."""


@pytest.fixture(scope="module", params=["blurred", "noisy", "dark", "inverted", "oblong"])
def image_and_sharp(request, faces):
    """A face and what became of it, uint8 RGB."""
    sharp = faces[0]
    noise = np.random.default_rng(0).normal(0, 12, sharp.shape)
    changed = {
        "blurred": cv2.blur(sharp, (9, 3)),
        "noisy": np.clip(sharp + noise, 0, 255).astype(np.uint8),
        "dark": sharp // 3,
        "inverted": 255 - sharp,
        "oblong": cv2.GaussianBlur(sharp, (0, 0), 2),
    }[request.param]
    lines = slice(0, 97) if request.param == "oblong" else slice(None)
    return changed[lines], sharp[lines]


def test_psnr_and_ssim_are_scikit_images(image_and_sharp):
    image, sharp = image_and_sharp
    assert psnr(image, sharp) == pytest.approx(skimage.metrics.peak_signal_noise_ratio(sharp, image), abs=CLOSE)
    for own, settings in ((ssim, WANG), (uniform_ssim, {})):
        one_by_one = [
            skimage.metrics.structural_similarity(image[..., channel], sharp[..., channel], data_range=255, **settings)
            for channel in range(3)
        ]
        assert own(image, sharp) == pytest.approx(np.mean(one_by_one), abs=CLOSE)


def test_psnr_and_ssim_are_torchmetrics(image_and_sharp):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    image, sharp = (torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None] for picture in image_and_sharp)
    reference = functional.peak_signal_noise_ratio(image, sharp, data_range=255.0)
    assert psnr(*image_and_sharp) == pytest.approx(float(reference), abs=1e-5)
    # torchmetrics divides the variances by 49, scikit-image by 48: the same as a smaller constant beside them. It also takes
    # windows that reach beyond the picture, which scikit-image leaves out.
    settings = {"gaussian_kernel": False, "kernel_size": 7, "data_range": 255.0, "k2": 0.03 * np.sqrt(48 / 49)}
    _, everywhere = functional.structural_similarity_index_measure(image, sharp, **settings, return_full_image=True)
    assert uniform_ssim(*image_and_sharp) == pytest.approx(float(everywhere[..., 3:-3, 3:-3].mean()), abs=1e-5)


def test_the_gradient_error_is_the_term_of_the_loss(image_and_sharp):
    torch = pytest.importorskip("torch")
    losses = pytest.importorskip("streamdeblur.training.losses")
    image, sharp = (torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None] for picture in image_and_sharp)
    assert gradient_error(*image_and_sharp) == pytest.approx(float(losses.gradient_l1(image, sharp)), abs=CLOSE)


def test_the_gradient_error_of_a_step():
    flat, step = np.full((4, 5, 3), 250, np.uint8), np.full((4, 5, 3), 250, np.uint8)
    step[:, 2:] = 10
    # one of the four differences along x is 240, none along y; brightness itself does not count
    assert gradient_error(step, flat) == gradient_error(flat, step) == 60.0
    assert gradient_error(flat, flat - np.uint8(200)) == 0.0


def test_an_image_that_is_right_has_the_best_figures(faces):
    assert (psnr(faces[1], faces[1]), ssim(faces[1], faces[1])) == (100.0, 1.0)
    assert (gmsd(faces[1], faces[1]), gradient_error(faces[1], faces[1])) == (0.0, 0.0)


def test_the_psnr_of_a_constant_difference():
    image = np.zeros((4, 4, 3), np.uint8)
    assert psnr(image, image + np.uint8(5)) == pytest.approx(20 * np.log10(255 / 5))


def test_gmsd_grows_with_blur(faces):
    values = [gmsd(cv2.GaussianBlur(faces[0], (0, 0), sigma), faces[0]) for sigma in (1.0, 2.0, 4.0)]
    assert 0.0 < values[0] < values[1] < values[2] < 0.5
