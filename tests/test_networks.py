"""Networks by name: those that are shipped, files, and names that are neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamdeblur import FaceDeblurrer, VideoOptions
from streamdeblur.errors import NetworkError
from streamdeblur.network import Network
from streamdeblur.weights import DEFAULT_NETWORK, default_network, network_names, network_path
from support.models.networks import write_network


def test_every_shipped_network_has_a_name_and_can_be_read():
    assert DEFAULT_NETWORK in network_names()
    for name in network_names():
        assert Network.read(network_path(name)).licence != "not stated"
    assert network_path(DEFAULT_NETWORK) == default_network()


def test_a_name_or_a_file_opens_a_deblurrer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path / "mine.onnx", "identity")
    write_network(tmp_path / "plain", "identity")
    for given, preset in (("lite", "lite"), ("mine.onnx", "test"), (tmp_path / "mine.onnx", "test"), ("plain", "test")):
        with FaceDeblurrer(network=given, engine="onnxruntime") as deblurrer:
            assert deblurrer.network.preset == preset


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("light", "Unknown network 'light'. Did you mean 'lite'?"),
        ("", "No network is named. Known: auto,"),
        ("quantum", "Unknown network 'quantum'. Known:"),
        ("lite.onnx", "Cannot read the network lite.onnx"),
        ("/nowhere/lite", "Cannot read the network /nowhere/lite"),
        ("nets/lite", "Cannot read the network nets/lite"),
    ],
)
def test_what_is_neither_a_name_nor_a_file_is_refused(given, message):
    with pytest.raises(NetworkError) as caught:
        FaceDeblurrer(network=given)
    assert message in str(caught.value)


def test_options_take_the_name_from_yaml(tmp_path):
    (tmp_path / "settings.yaml").write_text("network: lite\nlook_ahead: 3\n")
    options = VideoOptions.load(tmp_path / "settings.yaml")
    assert (options.restoration.network, options.look_ahead) == (Path("lite"), 3)
    assert VideoOptions().restoration.network == Path(DEFAULT_NETWORK)
