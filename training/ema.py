"""The exponential moving average (EMA) of a network's weights, which is validated and exported."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


# torch.optim.swa_utils.AveragedModel is not used: its first update copies the weights, which would change the warm-up of the
# decay, it averages integer buffers instead of copying them, and it names its tensors "module.*", which checkpoints do not.
class EMA(Generic[Network]):
    """Exponential moving average of all parameters and buffers of a network.

    The decay of step n, counted from 1, is ``min(decay, n / (n + 9))``, so that the initial weights are soon forgotten.

    Attributes:
        network: A copy of the network with averaged weights, in evaluation mode and frozen.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """
        Args:
            network: The network as it is before the first step.
            decay: Weight of the former average in an update, in [0, 1).
        """
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    def __repr__(self) -> str:
        return f"EMA({type(self.network).__name__}, decay={self.decay:g}, steps={self.steps})"

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Take in the weights of `network`, after each step; integer buffers are copied."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        averages, new = self.network.state_dict(), network.state_dict()
        floats = [name for name, value in averages.items() if value.is_floating_point()]
        torch._foreach_lerp_([averages[name] for name in floats], [new[name] for name in floats], 1 - decay)
        for name in averages.keys() - set(floats):
            averages[name].copy_(new[name])

    def state_dict(self) -> dict[str, Tensor | int]:
        """Return the averaged weights by name, and the number of steps."""
        return {**self.network.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Restore what `state_dict` returned."""
        self.steps = int(state["steps"])
        self.network.load_state_dict({name: value for name, value in state.items() if name != "steps"})
