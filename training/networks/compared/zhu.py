"""The networks of J.-Y. Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", 2017.

Two generators map images of two sets to each other, here blurry faces X and sharp faces Y: G restores, F blurs. A discriminator
of each set compares what is generated with real images of the set. Both generators are `ResnetGenerator` without dropout, the
discriminators `PatchDiscriminator`. At prediction only G remains.

The original has 64 channels, six blocks for images of 128 px and nine for larger ones, and 64 to 512 channels in the
discriminators; the reduced version has fewer. Source: the paper's Sec. 3, 4 and 7.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from streamdeblur.training.networks.compared.patch_discriminator import PatchDiscriminator
from streamdeblur.training.networks.compared.presets import ZhuPreset
from streamdeblur.training.networks.compared.resnet_generator import ResnetGenerator


class ZhuNetwork(nn.Module):
    """G: maps blurry crops to sharp ones."""

    outputs = ("restored",)

    def __init__(self, preset: ZhuPreset) -> None:
        super().__init__()
        self.layers = ResnetGenerator(preset.channels, preset.blocks, dropout=False)

    def forward(self, blurry: Tensor) -> tuple[Tensor]:
        """Restore crops, float [N, 3, H, W] in [0, 1], H and W multiples of 4: the same range."""
        return ((self.layers(2 * blurry - 1) + 1) / 2,)


class Translation(NamedTuple):
    """What the generators make of blurry and sharp images, all float [N, 3, H, W] in [-1, 1]."""

    restored: Tensor
    blurred: Tensor
    blurry_again: Tensor
    """F(G(x))."""
    sharp_again: Tensor
    """G(F(y))."""
    restored_sharp: Tensor
    """G(y), which is to be y."""
    blurred_blurry: Tensor
    """F(x), which is to be x."""


class BothGenerators(nn.Module):
    """G and F, which are trained together."""

    def __init__(self, preset: ZhuPreset) -> None:
        super().__init__()
        self.restoring = ZhuNetwork(preset)
        self.blurring = ResnetGenerator(preset.channels, preset.blocks, dropout=False)

    def forward(self, blurry: Tensor, sharp: Tensor) -> Translation:
        """Translate images of each set, float [N, 3, H, W] in [-1, 1]."""
        restoring = self.restoring.layers
        restored, blurred = restoring(blurry), self.blurring(sharp)
        return Translation(
            restored, blurred, self.blurring(restored), restoring(blurred), restoring(sharp), self.blurring(blurry)
        )


class BothDiscriminators(nn.Module):
    """One for blurry images, and one for sharp ones."""

    def __init__(self, preset: ZhuPreset) -> None:
        super().__init__()
        self.of_blurry, self.of_sharp = PatchDiscriminator(preset.critic), PatchDiscriminator(preset.critic)

    def forward(self, blurry: Tensor, sharp: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images of each set, float [N, 3, H, W] in [-1, 1]: [N, 1, h, w] each."""
        return self.of_blurry(blurry), self.of_sharp(sharp)
