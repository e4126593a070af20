"""The evaluation of a model card, on networks whose metrics are known."""

from __future__ import annotations

import pytest

from streamdeblur.evaluation import model_card
from streamdeblur.evaluation.model_card import PROTOCOLS, CardProtocol, RunProtocol, measure, table_head, table_row
from streamdeblur.evaluation.protocols import BlurProtocol
from support.models.networks import write_network


def test_a_network_that_changes_nothing_has_the_metrics_of_its_input(tmp_path, monkeypatch, faces_folder):
    protocols = (
        CardProtocol("synthetic", BlurProtocol.parse("synthetic"), 3, noise=1.5),
        CardProtocol("sharp", BlurProtocol.parse("sharp"), 2),
    )
    monkeypatch.setattr(model_card, "PROTOCOLS", protocols)
    monkeypatch.setattr(model_card.dlib_models, "is_installed", lambda: False)
    network = write_network(tmp_path / "identity.onnx", "identity")
    synthetic, sharp = measure(network, faces_folder, None)
    assert synthetic.rows[0].metrics == synthetic.rows[1].metrics
    assert (synthetic.faces, sharp.faces) == (3, 2)
    assert 15 < synthetic.rows[0].metrics["psnr"].value < 40
    assert sharp.rows[0].metrics["ssim"].value == 1.0
    assert table_row(sharp) == "| sharp (2) | 100.00 -> 100.00 | 1.000 -> 1.000 | 0.000 -> 0.000 |"
    assert table_head(sharp).count("|") == 10


def test_networks_with_a_memory_are_measured_on_runs_too(tmp_path, monkeypatch, faces_folder):
    monkeypatch.setattr(model_card, "PROTOCOLS", (CardProtocol("sharp", BlurProtocol.parse("sharp"), 2),))
    monkeypatch.setattr(model_card, "RUNS", (RunProtocol("runs", BlurProtocol.parse("runs:synthetic"), 3, noise=1.5),))
    monkeypatch.setattr(model_card.dlib_models, "is_installed", lambda: False)
    alone, run = measure(write_network(tmp_path / "memory.onnx", "slots"), faces_folder, None)
    assert (alone.protocol, alone.faces, run.protocol, run.faces) == ("sharp", 2, "runs", 3)
    assert run.rows[1].metrics["psnr"] != run.rows[0].metrics["psnr"]
    (alone,) = measure(write_network(tmp_path / "identity.onnx", "identity"), faces_folder, None)
    assert alone.protocol == "sharp"


def test_landmarks_and_identity_are_measured_where_dlib_is_installed(tmp_path, monkeypatch, faces_folder):
    pytest.importorskip("dlib")
    monkeypatch.setattr(model_card, "PROTOCOLS", (CardProtocol("sharp", BlurProtocol.parse("sharp"), 2),))
    (sharp,) = measure(write_network(tmp_path / "identity.onnx", "identity"), faces_folder, None)
    assert table_row(sharp).endswith("| 0.00 -> 0.00 | 1.000 -> 1.000 |")
    assert "| landmark error % | identity cosine |" in table_head(sharp)


def test_protocols_have_one_kind_of_blur_each_and_a_clean_sensor():
    for row in PROTOCOLS:
        weights = {scheme: weight for scheme, weight in row.recipe.mix.items() if weight}
        assert weights == {row.protocol.scheme: 1.0}
        assert not any(degradation["probability"] for degradation in row.recipe.sensor.model_dump().values())
