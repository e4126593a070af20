"""Which optimiser trains which parameter, and at what rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from streamdeblur.training.config import OptimiserSettings
from streamdeblur.training.muon import Muon


def build_optimisers(network: nn.Module, settings: OptimiserSettings) -> list[torch.optim.Optimizer]:
    """Build the optimisers of a network: Adam; or Muon for the convolutions of the blocks, and AdamW for the rest.

    Muon is for hidden layers: it gets neither the first nor the last one.
    """
    if settings.kind == "adam":
        return [torch.optim.Adam(network.parameters(), settings.rate, settings.betas)]
    hidden = [parameter for name, parameter in network.named_parameters() if parameter.ndim == 4 and ".blocks." in name]
    hidden_ids = {id(parameter) for parameter in hidden}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in hidden_ids]
    adam = torch.optim.AdamW(rest, settings.rate, settings.betas, weight_decay=0.0)
    return [Muon(hidden, settings.muon_rate), adam] if hidden else [adam]


def set_rates(optimisers: Sequence[torch.optim.Optimizer], settings: OptimiserSettings, step: int, steps: int) -> None:
    """Set the rates for a step: a linear warm-up, then constant, then a linear decay to zero.

    Args:
        optimisers: As `build_optimisers` returned them.
        settings: The same as those given to `build_optimisers`.
        step: Number of the step, 0 to steps - 1.
        steps: Number of steps in all.
    """
    decay = 1.0 if settings.decay_from == 1.0 else (1.0 - step / steps) / (1.0 - settings.decay_from)
    factor = min(1.0, (step + 1) / (settings.warmup + 1), decay)
    for optimiser in optimisers:
        rate = settings.muon_rate if isinstance(optimiser, Muon) else settings.rate
        for group in optimiser.param_groups:
            group["lr"] = rate * factor
