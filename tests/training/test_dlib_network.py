"""dlib's face recognition as an ONNX file: the same numbers, and a network that the identity term can be trained with."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import torch

from streamdeblur.errors import InputError
from streamdeblur.evaluation.metrics.dlib_models import recognition_weights
from streamdeblur.evaluation.metrics.dlib_network import SIDE, read_weights
from streamdeblur.training.cgan import train_cgan
from streamdeblur.training.dlib_network import convert
from streamdeblur.training.feature_extractor import open_extractor
from support.models.trainings import TINY_PAPER, data_for, load

dlib = pytest.importorskip("dlib")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    out = tmp_path_factory.mktemp("dlib") / "faces.onnx"
    subprocess.run([sys.executable, "-m", "streamdeblur.training.dlib_network", str(out)], check=True)
    return out


def test_it_gives_the_numbers_of_dlib(network, faces):
    face = np.ascontiguousarray(faces[0][50 : 50 + SIDE, 50 : 50 + SIDE])
    expected = np.array(dlib.face_recognition_model_v1(str(recognition_weights())).compute_face_descriptor(face))
    given = (face.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
    assert np.abs(onnxruntime.InferenceSession(str(network)).run(None, {"faces": given})[0][0] - expected).max() < 1e-5
    extractor = open_extractor(str(network), torch.device("cpu"))
    images = torch.from_numpy(face).permute(2, 0, 1)[None] / 255
    images.requires_grad_()
    embedding = extractor(images)
    assert np.abs(embedding.detach().numpy()[0] - expected).max() < 1e-4
    embedding.square().sum().backward()
    assert images.grad.abs().max() > 0


def test_a_variant_with_the_identity_term_trains_with_it(tmp_path, faces, network):
    config = load(tmp_path / "config.yaml", "ablations/vanilla-cgan-vgg", TINY_PAPER, {"cgan": {"batch": 2, "images": 4}})
    train_cgan(config, data_for(config, "cgan", faces), tmp_path / "run", identity=str(network))
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_other_files_are_refused(tmp_path):
    content = recognition_weights().read_bytes()
    layers = [kind for kind, _ in read_weights(content)]
    assert layers == ["con", "affine"] * 29 + ["fc"]
    for name, part in (("empty", b""), ("other", b"\x05con_4 nothing"), ("short", content[:100_000])):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(InputError, match="does not hold dlib's network"):
            convert(tmp_path / name, tmp_path / "out.onnx")
    with pytest.raises(InputError, match="Cannot read"):
        convert(tmp_path / "absent", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()
