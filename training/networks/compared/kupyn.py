"""The network of O. Kupyn et al., "DeblurGAN: Blind motion deblurring using conditional adversarial networks", 2018.

`ResnetGenerator` with dropout in its nine blocks predicts a correction, which is added to the blurry image (the global skip). The
critic is a `PatchDiscriminator` whose verdicts are averaged; it does not get the blurry image.

The original has 64 channels at the full resolution and 64 to 512 in the critic; the reduced version has fewer. Source: the
paper's Sec. 3 and Fig. 3.
"""

from __future__ import annotations

from torch import Tensor, nn

from streamdeblur.training.networks.compared.presets import KupynPreset
from streamdeblur.training.networks.compared.resnet_generator import ResnetGenerator


class KupynNetwork(nn.Module):
    """Corrects a blurry crop."""

    outputs = ("restored",)

    def __init__(self, preset: KupynPreset) -> None:
        super().__init__()
        self.correction = ResnetGenerator(preset.channels, preset.blocks, dropout=True)

    def forward(self, blurry: Tensor) -> tuple[Tensor]:
        """Restore crops, float [N, 3, H, W] in [0, 1], H and W multiples of 4: the same range."""
        # the original adds and clamps values in [-1, 1], whose unit is half of that of [0, 1]
        return ((blurry + self.correction(2 * blurry - 1) / 2).clamp(0.0, 1.0),)
