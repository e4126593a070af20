"""The blur code: a short vector that describes the blur of a whole crop."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import PatchConv

VARIANCE_FLOOR = 1e-4
"""Added to variances before their root is taken, whose slope is infinite at zero."""


class BlurCode(nn.Module):
    """Predicts the blur code: convolutions, mean and standard deviation over the crop, two dense layers.

    The statistics are computed in float32 also under reduced precision.
    """

    def __init__(self, size: int, patch: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            PatchConv(3, 48, patch),
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
        """Predict the codes of images.

        Args:
            blurry: float [N, 3, H, W], RGB in [0, 1], H and W multiples of four patches.

        Returns:
            float [N, size] in [-1, 1].
        """
        features = self.layers(blurry).float()
        mean = features.mean((2, 3))
        variance = (features.square().mean((2, 3)) - mean.square()).clamp_min(0.0)
        code: Tensor = self.dense(torch.cat([mean, (variance + VARIANCE_FLOOR).sqrt()], dim=1))
        return code
