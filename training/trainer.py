"""A network with its optimisers."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from streamdeblur.training.checkpoint import State
from streamdeblur.training.config import OptimiserSettings
from streamdeblur.training.optimisers import build_optimisers, set_rates


class Trainer:
    """Optimises the weights of a network, or of one part of it, in a known number of steps.

    Attributes:
        part: The part whose weights change.
        model: The network as Fabric runs it: in reduced precision, over several processes. Call this one to train.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        settings: OptimiserSettings,
        steps: int,
        part: nn.Module | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        """
        Args:
            fabric: Of this process.
            network: What computes the loss's inputs; it is moved to Fabric's device.
            settings: Which optimiser, and its rates.
            steps: Length of the training, for rates that fall towards its end.
            part: The part of `network` to train; all of it by default.
            compiled: Whether the network is compiled, on a card with CUDA graphs.
        """
        self.part = network if part is None else part
        self._fabric, self._settings, self._steps = fabric, settings, steps
        self._optimisers = build_optimisers(self.part, settings)
        # The stubs of torch have no overload for a memory format alone.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            # in its place, so that the names of the weights stay; crops of each size are compiled for themselves
            network.compile(dynamic=False, mode="reduce-overhead")
        self.model, *self._wrapped = fabric.setup(network, *self._optimisers)

    def __repr__(self) -> str:
        return f"Trainer({type(self.part).__name__})"

    def step(self, loss: Tensor, number: int) -> None:
        """Change the weights once, along the gradient of a loss.

        Args:
            loss: A scalar.
            number: Number of the step, from 0.
        """
        set_rates(self._optimisers, self._settings, number, self._steps)
        for optimiser in self._wrapped:
            optimiser.zero_grad()
        self._fabric.backward(loss)
        if self._settings.clip:
            nn.utils.clip_grad_norm_(self.part.parameters(), self._settings.clip)
        for optimiser in self._wrapped:
            optimiser.step()

    def is_finite(self) -> bool:
        """Return whether no trained weight is NaN or infinite."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.part.parameters())

    def state_dict(self) -> State:
        """Return the weights and the states of the optimisers."""
        return {"network": self.part.state_dict(), "optimisers": [optimiser.state_dict() for optimiser in self._optimisers]}

    def load_state_dict(self, state: State) -> None:
        """Restore what `state_dict` returned."""
        self.part.load_state_dict(state["network"])
        for optimiser, optimiser_state in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(optimiser_state)
