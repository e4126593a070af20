"""Muon steps along orthogonalised matrices."""

from __future__ import annotations

import pytest
import torch

from streamdeblur.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6)])
def test_singular_values_become_about_one(shape):
    torch.manual_seed(0)
    matrices = torch.randn(3, *shape) * torch.tensor([1e-4, 1.0, 1e3])[:, None, None]
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_singular_vectors_are_kept():
    torch.manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(8, 8))
    right, _ = torch.linalg.qr(torch.randn(20, 8))
    stretched = left @ torch.diag(torch.linspace(1.0, 3.0, 8)) @ right.T
    result = orthogonalise(stretched[None])[0]
    # the nearest orthogonal matrix, but for singular values that are only about 1
    assert torch.nn.functional.cosine_similarity(result.flatten(), (left @ right.T).flatten(), dim=0) > 0.98


def test_convolutions_of_one_shape_are_stepped_together_as_each_alone():
    torch.manual_seed(0)
    together = [torch.nn.Parameter(torch.randn(4, 3, 3, 3)) for _ in range(3)]
    alone = [torch.nn.Parameter(p.detach().clone()) for p in together]
    optimisers = [Muon(together, 0.1), *(Muon([p], 0.1) for p in alone)]
    for _ in range(3):
        for a, b in zip(together, alone, strict=True):
            b.grad = torch.randn(4, 3, 3, 3)
            a.grad = b.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a, b, atol=2e-3)


def test_it_minimises_an_error():
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False)
    target = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False).requires_grad_(False)
    optimiser = Muon(layer.parameters(), 0.02)
    images = torch.randn(8, 4, 8, 8)
    errors = []
    for _ in range(60):
        error = (layer(images) - target(images)).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]
