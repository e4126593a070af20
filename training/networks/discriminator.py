"""The discriminator D of step 2 (Sec. 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamdeblur.training.networks.presets import DiscriminatorPreset


class Discriminator(nn.Module):
    """Tells sharp images from generated ones, given the blurry image; each output classifies a patch of 70 x 70 pixels.

    Five layers of 4 x 4 convolutions, three of stride 2. The paper states the number of layers; the rest is the patch
    discriminator of Isola et al. 2017, but that batch normalisation follows the non-linearity, as in the paper's generators. The
    output of the penultimate layer is the projection pi of eq. 5.
    """

    def __init__(self, preset: DiscriminatorPreset) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 6
        for number, (width, stride) in enumerate(zip(preset.widths, (2, 2, 2, 1), strict=True)):
            layers += [nn.Conv2d(channels, width, 4, stride, 1), nn.LeakyReLU(0.2)]
            if preset.normalised and number:
                layers.append(nn.BatchNorm2d(width))
            channels = width
        self.projection = nn.Sequential(*layers)
        self.verdict = nn.Conv2d(channels, 1, 4, 1, 1)

    def forward(self, condition: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classify images.

        Args:
            condition: The blurry images, float [N, 3, H, W] in [0, 1], H and W at least 32.
            images: The sharp or generated images, in the same form.

        Returns:
            Logits [N, 1, h, w], positive for "sharp", and the features pi [N, C, h + 1, w + 1].
        """
        features = self.projection(torch.cat([condition, images], dim=1))
        return self.verdict(features), features
