"""The discriminator of P. Isola et al. 2017 that Kupyn et al. 2018 and Zhu et al. 2017 use: it judges patches of an image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Convolutions of 4 x 4 pixels with leaky ReLUs; instance normalisation on all layers but the first and the last one.

    It gets the image alone, without the blurry one as its condition.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        """
        Args:
            widths: Channels of the layers before the verdict; all but the last one of them halve the size.
        """
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for number, width in enumerate(widths, start=1):
            layers.append(nn.Conv2d(channels, width, 4, 1 if number == len(widths) else 2, 1))
            layers += [nn.InstanceNorm2d(width)] if number > 1 else []
            layers.append(nn.LeakyReLU(0.2))
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Judge images, float [N, 3, H, W] in [-1, 1]: [N, 1, h, w], more for "sharp"."""
        verdicts: Tensor = self.layers(images)
        return verdicts
