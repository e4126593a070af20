"""The generator of J. Johnson et al., "Perceptual losses for real-time style transfer and super-resolution", 2016.

Kupyn et al. 2018 and Zhu et al. 2017 both use it: a convolution of 7 x 7 pixels, two that halve the resolution, residual blocks
at a quarter of it, two transposed convolutions that double it, and a last convolution of 7 x 7 pixels with a hyperbolic tangent.
Each layer but the last one is normalised for each image and channel (D. Ulyanov et al. 2016), and borders are reflected.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ResnetGenerator(nn.Module):
    """Maps images to images, float [N, 3, H, W] in [-1, 1]; H and W are multiples of 4."""

    def __init__(self, channels: int, blocks: int, *, dropout: bool) -> None:
        """
        Args:
            channels: Of the first layer; four times as many in the blocks.
            blocks: Number of residual blocks.
            dropout: Whether half of the values in the middle of each block are dropped in training.
        """
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, channels, 7), *_normalised(channels),
            nn.Conv2d(channels, 2 * channels, 3, 2, 1), *_normalised(2 * channels),
            nn.Conv2d(2 * channels, 4 * channels, 3, 2, 1), *_normalised(4 * channels),
            *(NormalisedBlock(4 * channels, dropout=dropout) for _ in range(blocks)),
            nn.ConvTranspose2d(4 * channels, 2 * channels, 3, 2, 1, 1), *_normalised(2 * channels),
            nn.ConvTranspose2d(2 * channels, channels, 3, 2, 1, 1), *_normalised(channels),
            nn.ReflectionPad2d(3), nn.Conv2d(channels, 3, 7),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Map images to others of the same shape and range."""
        return torch.tanh(self.layers(images).float())


class NormalisedBlock(nn.Module):
    """Two normalised convolutions of 3 x 3 pixels and a shortcut."""

    def __init__(self, channels: int, *, dropout: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), *_normalised(channels),
            nn.Dropout(0.5 if dropout else 0.0),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, channels, h, w] to the same shape."""
        branch: Tensor = self.layers(features)
        return features + branch


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU()
