"""The running average of a network's weights: what is validated and exported."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """Exponential moving average of all parameters and buffers of a network.

    The decay grows from 0 towards `decay` over the first steps, so that the average soon forgets where it began.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Take the weights of `network` after a step."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        kept, new = self.network.state_dict(), network.state_dict()
        numbers = [name for name, value in kept.items() if value.is_floating_point()]
        torch._foreach_lerp_([kept[name] for name in numbers], [new[name] for name in numbers], 1 - decay)
        for name in kept.keys() - set(numbers):
            kept[name].copy_(new[name])

    def state_dict(self) -> dict[str, Tensor | int]:
        """Weights by name, and the number of steps."""
        return {**self.network.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """The opposite of `state_dict`."""
        self.steps = int(state["steps"])
        self.network.load_state_dict({name: value for name, value in state.items() if name != "steps"})
