"""What a CUDA graph cannot capture does not happen in a pass of a network: a copy from the CPU, or a wait for the device."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from streamdeblur.training.teacher import read_exported
from streamdeblur.weights import network_path

FORBIDDEN = ("_local_scalar_dense", "lift_fresh", "nonzero", "item", "is_nonzero", "masked_select")
"""Operations that read a value on the CPU, or bring one from there: `tensor.item()`, `torch.tensor(...)` ..."""


class Recorded(TorchDispatchMode):
    """Names of all operations within it."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["lite", "stream", "nano"])
def test_a_pass_of_a_network_can_be_captured(name):
    network = read_exported(network_path(name)).eval().requires_grad_(False)
    given = [torch.rand(2, 3, 64, 64)]
    if network.memory:
        given += [torch.rand(2, network.memory, 32, 32), torch.ones(2, network.memory)]
    # the first pass prepares what is kept
    network(*given)
    with Recorded() as recorded:
        network(*given)
    assert "convolution" in recorded.names
    assert not recorded.names.intersection(FORBIDDEN)
