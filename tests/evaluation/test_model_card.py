"""The figures of a model card, on numbers that can be worked out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamdeblur.evaluation import model_card as measuring
from streamdeblur.evaluation.model_card import PROTOCOLS, Protocol, gmsd, measure, psnr_of
from streamdeblur.evaluation.recognition import Recognised, identity_cosine, landmark_error
from support.models.networks import write_network


def test_psnr():
    image = np.zeros((4, 4, 3), np.uint8)
    assert psnr_of(image, image + np.uint8(5)) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr_of(image, image) == 100.0


def test_gmsd_grows_with_blur_and_is_zero_without(faces):
    values = [gmsd(cv2.GaussianBlur(faces[0], (0, 0), sigma), faces[0]) for sigma in (1.0, 2.0, 4.0)]
    assert gmsd(faces[0], faces[0]) == 0.0
    assert 0.0 < values[0] < values[1] < values[2] < 0.5


def test_landmarks_and_identity():
    square = np.array([[0.0, 0.0], [30.0, 40.0]])
    true = Recognised(square, np.array([1.0, 0.0]))
    seen = Recognised(square + np.array([3.0, 4.0]), np.array([0.6, 0.8]))
    # 5 pixels of a diagonal of 50
    assert landmark_error(seen, true) == pytest.approx(0.1)
    assert identity_cosine(seen, true) == pytest.approx(0.6)


def test_a_network_that_changes_nothing_has_the_figures_of_its_input(tmp_path, monkeypatch, faces_folder):
    monkeypatch.setattr(measuring, "PROTOCOLS", (Protocol("synthetic", "synthetic", 3, noise=1.5), Protocol("sharp", "sharp", 2)))
    monkeypatch.setattr(measuring, "Recogniser", _absent)
    network = write_network(tmp_path / "identity.onnx", "identity")
    synthetic, sharp = measure(network, faces_folder, None)
    assert synthetic.blurred == synthetic.restored
    assert (synthetic.pairs, sharp.pairs) == (3, 2)
    assert 15 < synthetic.blurred["psnr"] < 40
    assert sharp.blurred["ssim"] == 1.0
    assert str(sharp) == "| sharp (2) | 100.00 -> 100.00 | 1.000 -> 1.000 | 0.000 -> 0.000 |"
    assert measuring.header(sharp).count("|") == 10


def _absent():
    raise ImportError("dlib")


def test_protocols_have_one_kind_of_blur_each_and_a_clean_sensor():
    for protocol in PROTOCOLS:
        recipe = protocol.recipe()
        mix = {str(scheme): weight for scheme, weight in recipe.mix.items() if weight}
        assert mix == {protocol.scheme: 1.0}
        assert not any(degradation["probability"] for degradation in recipe.sensor.model_dump().values())
