"""The Muon optimiser: momentum whose matrix is orthogonalised before each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration: a large slope at zero, and final singular values between 0.7 and 1.2."""


def orthogonalise(matrices: Tensor) -> Tensor:
    """Replace the singular values of matrices by values near 1.

    Args:
        matrices: [B, rows, columns]; computed in bfloat16.

    Returns:
        float32 [B, rows, columns].
    """
    wide = matrices.bfloat16()
    tall = wide.shape[1] > wide.shape[2]
    if tall:
        wide = wide.mT
    wide = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = wide @ wide.mT
        wide = a * wide + (b * square + c * square @ square) @ wide
    result: Tensor = (wide.mT if tall else wide).float()
    return result


class Muon(torch.optim.Optimizer):
    """Steepest descent under the spectral norm (K. Jordan et al., "Muon: an optimizer for hidden layers", 2024).

    A convolution [out, in, k, k] is treated as the matrix [out, in * k * k]. Unlike `torch.optim.Muon`, this one accepts
    convolutions, and orthogonalises all matrices of one shape together, which on a CPU is most of the speed.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float = 0.02, momentum: float = 0.95) -> None:
        """
        Args:
            parameters: Weights of hidden layers, of two dimensions or more.
            rate: Learning rate; that of convolutions is usually about 0.02.
            momentum: Decay of the mean of the gradients.
        """
        super().__init__(parameters, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Step along the orthogonalised Nesterov momentum.

        Raises:
            ValueError: A closure was given, which is not supported.
        """
        if closure is not None:
            raise ValueError("Muon does not support a closure.")
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault((parameter.shape[0], parameter[0].numel()), []).append(parameter)
            for (rows, columns), parameters in by_shape.items():
                update = orthogonalise(torch.stack([self._momentum(p, group).reshape(rows, columns) for p in parameters]))
                # the factor makes the change of the outputs the same for tall and wide matrices
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for parameter, direction in zip(parameters, update, strict=True):
                    parameter.sub_(direction.view_as(parameter), alpha=rate)

    def _momentum(self, parameter: nn.Parameter, group: dict[str, Any]) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        assert parameter.grad is not None
        momentum.lerp_(parameter.grad, 1 - group["momentum"])
        return parameter.grad.lerp(momentum, group["momentum"])
