"""Batch normalisation of a network whose weights come from an exported file, which holds it fused into the convolutions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from streamdeblur.training.ema import EMA, Network


def identity_normalisation(layer: nn.BatchNorm2d) -> dict[str, Tensor]:
    """Return weights and statistics with which a layer changes nothing at prediction, by the names of its tensors."""
    ones, zeros = torch.ones(layer.num_features), torch.zeros(layer.num_features)
    return {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones - layer.eps}


@torch.no_grad()
def renew_fused_normalisation(fabric: Fabric, network: nn.Module, ema: EMA[Network], run: Callable[[], object]) -> None:
    """Give layers that change nothing the statistics of what they get, and the scale and shift that undo them.

    A layer of `identity_normalisation` changes nothing at prediction. In training it would normalise by the statistics of a
    batch what the next layer never got so. With the new weights and statistics it still changes nothing at prediction, and
    hardly anything in training.

    Args:
        fabric: Of this process; all processes get what the first one finds.
        network: What is trained, in training mode. Other layers stay as they are.
        ema: Its average, whose layers are changed as well.
        run: Runs the network on a batch.
    """
    layers = [
        (layer, average)
        for layer, average in zip(network.modules(), ema.network.modules(), strict=True)
        if isinstance(layer, nn.BatchNorm2d) and _changes_nothing(layer)
    ]
    if not layers:
        return
    inputs: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module, images: tuple[Tensor, ...]) -> None:
        inputs.setdefault(layer, images[0])

    hooks = [layer.register_forward_pre_hook(keep) for layer, _ in layers]
    network.eval()
    run()
    network.train()
    for hook in hooks:
        hook.remove()
    for layer, average in layers:
        variance, mean = torch.var_mean(inputs[layer].float(), (0, 2, 3), correction=0)
        new = {"weight": (variance + layer.eps).sqrt(), "bias": mean, "running_mean": mean, "running_var": variance}
        for name, value in new.items():
            shared = fabric.broadcast(value)
            layer.state_dict()[name].copy_(shared)
            average.state_dict()[name].copy_(shared)


def _changes_nothing(layer: nn.BatchNorm2d) -> bool:
    """Whether a layer has the weights and statistics of `identity_normalisation`."""
    own = layer.state_dict()
    return all(torch.equal(own[name].cpu(), value) for name, value in identity_normalisation(layer).items())
