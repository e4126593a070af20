"""streamdeblur models: the networks at hand."""

from __future__ import annotations

import os

import pytest

from streamdeblur.models import networks_at_hand
from streamdeblur.speeds import MEASURED
from streamdeblur.weights import automatic_names, network_names
from support.cli import run
from support.models.networks import write_network


def test_the_networks_that_can_be_named_are_listed_with_the_figures_of_their_card(tmp_path):
    own = write_network(tmp_path / "own.onnx", "invert")
    found = {one["name"]: one for one in run("models", own, "--json").json["networks"]}
    assert list(found) == [*network_names(), str(own)]
    stream, lite, mine = found["stream"], found["lite"], found[str(own)]
    assert (stream["licence"], stream["memory"], lite["memory"], lite["crop_sizes"]) == ("MIT", 4, 0, [128, 192, 256])
    assert stream["gains"]["runs, VLA with camera shake, 4 to 24 px"] > stream["gains"]["VLA with camera shake, 4 to 24 px"] > 2
    assert all("PrAvg 11" in found[name]["gains"] for name in network_names())
    assert all(found[name]["gains"]["PrAvg 11"] > 0 for name in automatic_names())
    assert (mine["gains"], mine["ms"], mine["megabytes"]) == ({}, None, round(os.path.getsize(own) / 1e6, 1))
    table = run("models", "own.onnx", cwd=tmp_path).stdout
    for words in (*network_names(), "own.onnx", "MIT", "models --measure"):
        assert words in table


@pytest.mark.slow
def test_how_long_each_takes_is_measured_when_asked_for(tmp_path):
    own = write_network(tmp_path / "own.onnx", "invert")
    for one in networks_at_hand([own], measured=True):
        assert one.ms > 0
        assert one.engine in MEASURED


def test_what_is_no_network_is_refused_in_words(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    for name in ("text.onnx", "absent.onnx"):
        done = run("models", tmp_path / name, "--json")
        assert (done.exit_code, done.json["exit_code"]) == (2, 2)
        assert name in done.json["error"]
