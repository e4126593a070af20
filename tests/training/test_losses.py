"""The losses on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from streamdeblur.training import losses


def image(*rows):
    """[1, 3, H, W]: the same rows in every channel."""
    return torch.tensor(rows, dtype=torch.float64).expand(1, 3, -1, -1).clone()


A = image([0.0, 0.5], [1.0, 0.25])
B = image([0.1, 0.5], [0.6, 0.75])


def test_l1():
    # |-0.1|, 0, |0.4|, |-0.5|
    assert losses.l1(A, B).item() == pytest.approx(1.0 / 4)


def test_gradient_l1():
    # A - B = [[-0.1, 0], [0.4, -0.5]]: across 0.1 and -0.9, down 0.5 and -0.5
    assert losses.gradient_l1(A, B).item() == pytest.approx(0.5 + 0.5)


def test_relative_charbonnier():
    blurry = image([0.0, 0.5], [0.6, 0.75])
    distance = [math.hypot(d, 0.01) - 0.01 for d in (0.1, 0.0, 0.4, 0.5)]
    difficulty = 0.1 / 4 + 0.08
    assert losses.relative_charbonnier(A, B, blurry).item() == pytest.approx(sum(distance) / 4 / difficulty)


def test_relative_charbonnier_does_not_pull_what_is_right():
    images = A.clone().requires_grad_()
    losses.relative_charbonnier(images, A, A).backward()
    assert images.grad.abs().max() == 0.0


def test_adversarial_terms():
    real, generated = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[math.log(3.0)]])
    # D = 1/2 and 3/4 for sharp images, 3/4 for a generated one
    assert losses.discriminator_loss(real, generated).item() == pytest.approx(
        (math.log(2) + math.log(4 / 3)) / 2 + math.log(4), rel=1e-6
    )
    assert losses.adversarial_loss(generated).item() == pytest.approx(math.log(4 / 3), rel=1e-6)


def test_projection():
    assert losses.projection_loss(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 1.0]])).item() == pytest.approx(3.5 / 2)
