"""The losses of small inputs, compared with values computed by hand."""

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
    # as a sum over the three channels of an image; two images are averaged
    assert losses.l1(A, B, "sum").item() == pytest.approx(3.0)
    assert losses.l1(torch.cat([A, B]), torch.cat([B, B]), "sum").item() == pytest.approx(1.5)


def test_gradient_l1():
    # A - B = [[-0.1, 0], [0.4, -0.5]]: across 0.1 and -0.9, down 0.5 and -0.5
    assert losses.gradient_l1(A, B).item() == pytest.approx(0.5 + 0.5)
    assert losses.gradient_l1(A, B, "sum").item() == pytest.approx(3 * (1.0 + 1.0))


def test_relative_charbonnier():
    blurry = image([0.0, 0.5], [0.6, 0.75])
    distance = [math.hypot(d, 0.01) - 0.01 for d in (0.1, 0.0, 0.4, 0.5)]
    difficulty = 0.1 / 4 + 0.08
    assert losses.relative_charbonnier(A, B, blurry).item() == pytest.approx(sum(distance) / 4 / difficulty)


def test_relative_charbonnier_has_no_gradient_at_zero_error():
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
    assert losses.adversarial_loss(generated, "saturating").item() == pytest.approx(math.log(1 / 4), rel=1e-6)


def test_the_gradient_of_the_saturating_form_vanishes_where_the_discriminator_is_sure():
    for form, least, most in (("saturating", 0.0, 1e-4), ("non-saturating", 0.99, 1.0)):
        logits = torch.tensor([-10.0], requires_grad=True)
        losses.adversarial_loss(logits, form).backward()
        assert least <= -logits.grad.item() <= most


def test_projection():
    assert losses.projection_loss(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 1.0]])).item() == pytest.approx(3.5 / 2)


def test_the_better_response_of_a_deconvolution_counts():
    target, blurry = torch.tensor([[[[0.5, 0.25]]]]), torch.tensor([[[[0.5, 0.75]]]])
    planes = torch.tensor([[[[0.5, 0.25]], [[0.9, 0.9]]], [[[0.0, 0.0]], [[0.5, 0.5]]]])
    # of the first sample one plane is right; of the second the other one is better, by 0 and 0.25
    expected = (math.hypot(0.25, 0.01) - 0.01) / 2 / (0.5 / 2 + 0.08)
    both = losses.deconvolution_loss(planes, target.expand(2, -1, -1, -1), blurry.expand(2, -1, -1, -1))
    assert both.item() == pytest.approx(expected / 2)


def test_unknown_kernels_do_not_count():
    estimated = torch.tensor([[[[1.0, 0.0]]], [[[0.5, 0.5]]]])
    assert losses.kernel_loss(estimated, torch.tensor([[[[1.0, 1.0]]], [[[0.0, 0.0]]]])).item() == pytest.approx(1 - 0.5**0.5)
    assert losses.kernel_loss(estimated, torch.zeros(2, 1, 1, 2)).item() == 0.0
