"""A small network for face recognition, and seeded tests."""

from __future__ import annotations

import io

import pytest
import torch
from torch import nn


class _Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=2), nn.PReLU(8), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1))
        self.pool = nn.AvgPool2d(2)

    def forward(self, images):
        return self.pool(images + self.layers(images))


@pytest.fixture(autouse=True)
def seeded():
    """Random numbers are the same in each run and in any order of the tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def identity_network(tmp_path_factory):
    """An ONNX file with the operators of the usual networks for face recognition and random weights."""
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.MaxPool2d(3, 2, 1),
        _Residual(),
        nn.Flatten(),
        nn.Linear(128, 16),
    ).eval()
    path = tmp_path_factory.mktemp("identity") / "faces.onnx"
    buffer = io.BytesIO()
    names = {"input_names": ["input"], "output_names": ["output"], "dynamic_axes": {"input": {0: "N"}}}
    torch.onnx.export(network, (torch.rand(1, 3, 32, 32),), buffer, dynamo=False, opset_version=17, **names)
    path.write_bytes(buffer.getvalue())
    return path
