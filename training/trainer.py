"""A network with its optimisers: what follows the gradient of a loss."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from streamdeblur.training.optimisers import OptimiserSettings, build_optimisers, set_rates


class Learner:
    """Trains `part` of `network` (all of it by default) in `steps` steps."""

    def __init__(
        self, fabric: Fabric, network: nn.Module, settings: OptimiserSettings, steps: int, part: nn.Module | None = None
    ) -> None:
        self.part = network if part is None else part
        self._fabric, self._settings, self._steps = fabric, settings, steps
        self._optimisers = build_optimisers(self.part, settings)
        # (torch's stubs know no memory format alone)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # the network as Fabric runs it: in reduced precision, over several processes
        self.model, *self._wrapped = fabric.setup(network, *self._optimisers)

    def descend(self, loss: Tensor, step: int) -> None:
        """One step down the gradient of `loss`."""
        set_rates(self._optimisers, self._settings, step, self._steps)
        for optimiser in self._wrapped:
            optimiser.zero_grad()
        self._fabric.backward(loss)
        if self._settings.clip:
            nn.utils.clip_grad_norm_(self.part.parameters(), self._settings.clip)
        for optimiser in self._wrapped:
            optimiser.step()

    def is_finite(self) -> bool:
        """Are all weights numbers?"""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.part.parameters())

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimisers."""
        return {"network": self.part.state_dict(), "optimisers": [optimiser.state_dict() for optimiser in self._optimisers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The opposite of `state_dict`."""
        self.part.load_state_dict(state["network"])
        for optimiser, kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
