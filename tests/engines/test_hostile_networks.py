"""Whatever an ONNX file holds, it is refused in words or runs; it never reaches memory that is not its own."""

from __future__ import annotations

import os

import numpy as np
import pytest

from streamdeblur.engines import open_engine
from streamdeblur.errors import EngineError, NetworkError, StreamDeblurError
from streamdeblur.network import Network
from support.cli import run_process
from support.models.hostile import ACCEPTED, REFUSED, write_hostile
from support.models.networks import write_network

CROPS = np.full((2, 256, 256, 3), 128, np.uint8)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("kind", REFUSED)
def test_a_network_that_cannot_be_run_is_refused(tmp_path, kind, engine):
    path = write_hostile(tmp_path / "hostile.onnx", REFUSED[kind])
    with pytest.raises((NetworkError, EngineError), match=r"hostile\.onnx|The network returned|The engine failed"):
        open_engine(engine, Network.read(path)).infer(CROPS)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_odd_network_runs(tmp_path, kind, engine):
    network = Network.read(write_hostile(tmp_path / "odd.onnx", ACCEPTED[kind]))
    assert (open_engine(engine, network).infer(CROPS) == CROPS).all()
    assert network.preset.isprintable()
    assert len(network.training) < 300


def test_what_is_no_file_is_not_read(tmp_path):
    """A pipe would wait for ever, and a device may have no end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing", "/dev/zero", tmp_path / "nul\0"):
        with pytest.raises(NetworkError, match="Give --network an ONNX file"):
            Network.read(type(tmp_path)(path))


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(NetworkError, match=r"3\.2 GB"):
        Network.read(path)


def test_what_one_engine_refuses_is_not_tried_on_another(tmp_path):
    path = write_hostile(tmp_path / "hostile.onnx", REFUSED["content decides"])
    with pytest.raises(StreamDeblurError, match="size depends on the content"):
        open_engine("auto", Network.read(path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*REFUSED, *ACCEPTED])
def test_the_command_ends_in_words(tmp_path, face_picture_file, kind):
    path = write_hostile(tmp_path / "hostile.onnx", (REFUSED | ACCEPTED)[kind])
    done = run_process("image", face_picture_file, tmp_path / "out.png", "--network", path, "--always")
    assert done.exit_code == (0 if kind in ACCEPTED else 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr or kind in ACCEPTED
    assert sorted(file.name for file in tmp_path.iterdir()) == ["hostile.onnx", *(["out.png"] if kind in ACCEPTED else [])]


@pytest.fixture(scope="module")
def face_picture_file(tmp_path_factory, face_picture):
    import cv2

    path = tmp_path_factory.mktemp("picture") / "face.png"
    cv2.imwrite(str(path), face_picture[..., ::-1])
    return path


def test_the_command_ends_in_words_for_one(tmp_path, face_picture_file):
    path = write_network(tmp_path / "tall.onnx", "tall", declared=["a", "b", "c", "d"])
    done = run_process("image", face_picture_file, tmp_path / "out.png", "--network", path, "--always")
    assert done.exit_code == 2
    assert "the network returns [[1, 3, 4096, 256]] for a crop" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.png").exists()
