"""The network of S. Nah et al., "Deep multi-scale convolutional neural network for dynamic scene deblurring", 2017.

The crop is restored at a quarter of its size first, then at half of it, then at its full size. The network of each scale gets the
blurry image of this scale and the result of the coarser one, enlarged by a learned layer, and consists of a convolution,
residual blocks and another convolution, all of 5 x 5 pixels. A block is convolution, ReLU, convolution, and a shortcut; it has no
batch normalisation, and no ReLU after the sum. The discriminator classifies whole crops: nine convolutions with leaky ReLUs
reduce them to one pixel, and a last layer to one number.

The original has 64 channels, 19 blocks at each scale (120 convolutions, 11.7 million parameters), and 32 to 512 channels in the
discriminator. With ``patch`` above 1 the reduced version arranges patches of pixels as channels, and back at the end of each
scale (W. Shi et al. 2016), so that the convolutions see fewer pixels and a larger field. Such a network would have to learn to
hold the picture at all (it lost 4 dB of faces that were hardly blurred), so its first and its last convolution begin with the
identity. Source: the paper's Sec. 3, Table 1 and Figs. 3 and 4; nothing is taken from the authors' programs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.training.networks.compared.presets import NahPreset

SCALES = 3
FILTER = 5
MIDDLE = 0.5
"""Subtracted from pixel values, as in the original."""
CRITIC = ((1, 2), (2, 1), (2, 2), (4, 1), (4, 4), (8, 1), (8, 4), (16, 1))
"""Channels relative to the first layer, and stride, of the convolutions of the discriminator before the last one."""
REDUCTION = 64
"""Product of these strides."""


class NahNetwork(nn.Module):
    """Restores a crop from coarse to fine."""

    outputs = ("restored",)

    def __init__(self, preset: NahPreset) -> None:
        super().__init__()
        self.coarsest = Scale(3, preset)
        self.finer = nn.ModuleList(Scale(6, preset) for _ in range(SCALES - 1))
        self.enlarging = nn.ModuleList(_convolution(3, 12) for _ in range(SCALES - 1))

    def forward(self, blurry: Tensor) -> tuple[Tensor]:
        """Restore crops, float [N, 3, H, W] in [0, 1], H and W multiples of 16; the result is not clamped."""
        return (self.scales(blurry)[-1],)

    def scales(self, blurry: Tensor) -> list[Tensor]:
        """Return the restored crops of each scale, from the coarsest one: [N, 3, H / 4, W / 4] to [N, 3, H, W]."""
        pyramid = image_pyramid(blurry - MIDDLE)
        restored = [self.coarsest(pyramid[0])]
        for scale, enlarging, image in zip(self.finer, self.enlarging, pyramid[1:], strict=True):
            enlarged = F.pixel_shuffle(enlarging(restored[-1]), 2)
            restored.append(scale(torch.cat([image, enlarged], 1)))
        return [image.float() + MIDDLE for image in restored]


class Scale(nn.Module):
    """The network of one scale."""

    def __init__(self, channels: int, preset: NahPreset) -> None:
        super().__init__()
        self.patch, pixels = preset.patch, preset.patch**2
        self.stem = _convolution(channels * pixels, preset.channels)
        self.blocks = nn.Sequential(*(ResidualBlock(preset.channels) for _ in range(preset.blocks)))
        self.head = _convolution(preset.channels, 3 * pixels)
        if self.patch > 1:
            for convolution in (self.stem, self.head):
                nn.init.dirac_(convolution.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N, channels, h, w] to [N, 3, h, w]."""
        features = self.blocks(self.stem(F.pixel_unshuffle(images, self.patch)))
        return F.pixel_shuffle(self.head(features), self.patch)


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(channels, channels), _convolution(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, channels, h, w] to the same shape."""
        branch: Tensor = self.second(F.relu(self.first(features)))
        return features + branch


class NahDiscriminator(nn.Module):
    """Tells sharp crops from restored ones, one verdict for each crop."""

    def __init__(self, preset: NahPreset, side: int) -> None:
        """
        Args:
            preset: For the channels of the first layer.
            side: Side of the crops in pixels, a multiple of 64.
        """
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for factor, stride in CRITIC:
            filters = preset.critic * factor
            layers += [nn.Conv2d(channels, filters, FILTER, stride, FILTER // 2), nn.LeakyReLU(0.2)]
            channels = filters
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, channels, side // REDUCTION), nn.LeakyReLU(0.2))
        self.verdict = nn.Conv2d(channels, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [N, 1, 1, 1] of crops [N, 3, side, side] in [0, 1]; positive for "sharp"."""
        logits: Tensor = self.verdict(self.layers(images - MIDDLE))
        return logits


def image_pyramid(images: Tensor) -> list[Tensor]:
    """Return images [N, 3, H, W] at each scale, from a quarter of the size to the full one."""
    return [F.avg_pool2d(images, 2**n) if n else images for n in reversed(range(SCALES))]


def _convolution(channels: int, filters: int) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, FILTER, padding=FILTER // 2)
