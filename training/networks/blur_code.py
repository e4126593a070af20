"""The blur code: what kind of blur a whole crop has, as a short vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import PatchConv

VARIANCE_FLOOR = 1e-4


class BlurCode(nn.Module):
    """Mean and deviation over the crop of a few convolutions of it, through two dense layers, in [-1, 1].

    The statistics are taken in float32 also under reduced precision.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            PatchConv(3, 48, 4),
            nn.ReLU(),
            PatchConv(48, 64, 2),
            nn.ReLU(),
            PatchConv(64, 128, 2),
            nn.ReLU(),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.ReLU(),
        )
        self.dense = nn.Sequential(nn.Linear(256, size), nn.ReLU(), nn.Linear(size, size), nn.Tanh())

    def forward(self, blurry: Tensor) -> Tensor:
        """blurry: [N, 3, H, W], RGB in [0, 1]; returns [N, size]."""
        features = self.layers(blurry).float()
        mean = features.mean((2, 3))
        variance = (features.square().mean((2, 3)) - mean.square()).clamp_min(0.0)
        code: Tensor = self.dense(torch.cat([mean, (variance + VARIANCE_FLOOR).sqrt()], dim=1))
        return code
