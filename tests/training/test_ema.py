"""The EMA follows the weights, faster at first than later."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from streamdeblur.training.ema import EMA


def test_the_decay_grows_up_to_its_limit():
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    ema = EMA(network, decay=0.15)
    nn.init.ones_(network.weight)
    ema.update(network)
    assert ema.network.weight.item() == pytest.approx(1 - 1 / 10)
    ema.update(network)
    assert ema.network.weight.item() == pytest.approx(1 - 1 / 10 * 0.15), "2 / 11 is more than the limit"


def test_integer_buffers_are_copied_and_float_buffers_averaged():
    network = nn.BatchNorm2d(1)
    ema = EMA(network, decay=0.5)
    network.running_mean.fill_(1.0)
    network.num_batches_tracked.fill_(7)
    ema.update(network)
    assert ema.network.num_batches_tracked == 7
    assert ema.network.running_mean.item() == pytest.approx(0.9)


def test_a_restored_ema_continues_as_the_first_one():
    network = nn.Linear(2, 2)
    first, second = EMA(network, 0.9), EMA(nn.Linear(2, 2), 0.9)
    first.update(nn.Linear(2, 2))
    second.load_state_dict(first.state_dict())
    for ema in (first, second):
        ema.update(network)
    assert torch.equal(first.network.weight, second.network.weight)
