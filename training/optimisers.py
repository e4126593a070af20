"""Which optimiser trains which parameter, and at what rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from streamdeblur.options import Settings
from streamdeblur.training.muon import Muon


class OptimiserSettings(Settings):
    """How the weights follow the gradients."""

    kind: Literal["muon", "adam"] = Field(
        default="adam", description="Muon on hidden convolutions and AdamW on the rest; or Adam."
    )
    rate: float = Field(default=2e-4, gt=0, description="Rate of Adam.")
    muon_rate: float = Field(default=0.02, gt=0, description="Rate of Muon.")
    betas: tuple[float, float] = Field(default=(0.5, 0.999), description="Adam's decays of the mean and of the square.")
    warmup: int = Field(default=30, ge=0, description="Steps over which the rate rises.")
    decay_from: float = Field(
        default=1.0, ge=0, le=1, description="Share of the run after which the rate falls linearly to zero."
    )
    clip: float = Field(default=0.0, ge=0, description="Largest norm of the gradients; 0 does not limit it.")


def build_optimisers(network: nn.Module, settings: OptimiserSettings) -> list[torch.optim.Optimizer]:
    """The optimisers of a network. Muon takes the convolutions of the blocks, neither the first nor the last layer."""
    if settings.kind == "adam":
        return [torch.optim.Adam(network.parameters(), settings.rate, settings.betas)]
    hidden = [parameter for name, parameter in network.named_parameters() if parameter.ndim == 4 and ".blocks." in name]
    kept = {id(parameter) for parameter in hidden}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in kept]
    adam = torch.optim.AdamW(rest, settings.rate, settings.betas, weight_decay=0.0)
    return [Muon(hidden, settings.muon_rate), adam] if hidden else [adam]


def set_rates(optimisers: Sequence[torch.optim.Optimizer], settings: OptimiserSettings, step: int, steps: int) -> None:
    """Give the optimisers their rates at step 0 .. steps - 1 of a run."""
    left = 1.0 if settings.decay_from == 1.0 else (1.0 - step / steps) / (1.0 - settings.decay_from)
    factor = min(1.0, (step + 1) / (settings.warmup + 1), left)
    for optimiser in optimisers:
        rate = settings.muon_rate if isinstance(optimiser, Muon) else settings.rate
        for group in optimiser.param_groups:
            group["lr"] = rate * factor
