"""The hourglass H of step 1, which restores low and middle frequencies (Sec. 3.1)."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import ResnetBlock, ResnetLayer
from streamdeblur.training.networks.blur_code import BlurCode
from streamdeblur.training.networks.presets import HourglassPreset
from streamdeblur.training.networks.unet import UnetDecoder, UnetEncoder, image_stem


class Hourglass(nn.Module):
    """H: predicts a correction, at a quarter of the resolution or less, and adds it to the blurry image.

    In the kind "modulated" the blur code scales the channels of every block; the generator gets the same code.
    """

    def __init__(self, preset: HourglassPreset) -> None:
        super().__init__()
        self.preset = preset
        self.code: nn.Module | None = None
        if preset.kind == "newell":
            self.body: nn.Module = Newell(preset.width, preset.depth)
        else:
            self.code = BlurCode(preset.code, preset.patch)
            stem = image_stem(preset.widths[0], preset.patch)
            self.encoder = UnetEncoder([stem], preset.widths, preset.encoder_blocks, preset.code)
            self.decoder = UnetDecoder(preset.widths, preset.decoder_blocks, preset.code, preset.patch)

    def forward(self, blurry: Tensor) -> tuple[Tensor, Tensor | None]:
        """Restore blurry images coarsely.

        Args:
            blurry: float [N, 3, H, W] in [0, 1]; H and W are multiples of four patches (modulated) or of 4 * 2**depth (newell).

        Returns:
            The coarse images, float [N, 3, H, W], not clamped; and the blur code [N, code], or None in the kind "newell".
        """
        code = self.blur_code(blurry)
        if code is None:
            return blurry + self.body(blurry).float(), None
        return blurry + self.decoder(self.encoder([blurry], code), code).float(), code

    def blur_code(self, images: Tensor) -> Tensor | None:
        """Return the blur code [N, code] of images [N, 3, H, W]; None in the kind "newell"."""
        return None if self.code is None else self.code(images)


class Newell(nn.Module):
    """The hourglass of Newell et al. 2016, with a pixel-shuffle from 1/4 of the resolution to the full one."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(
            ResnetLayer(3, half // 2, 7, stride=2),
            ResnetBlock(half // 2, half),
            nn.MaxPool2d(2),
            ResnetBlock(half, half),
            ResnetBlock(half, width),
        )
        self.levels = Level(width, depth)
        self.head = nn.Sequential(ResnetBlock(width, width), ResnetLayer(width, width, 1), nn.Conv2d(width, 48, 1))

    def forward(self, blurry: Tensor) -> Tensor:
        """Map images [N, 3, H, W] to corrections of the same shape."""
        return F.pixel_shuffle(self.head(self.levels(self.stem(blurry))), 4)


class Level(nn.Module):
    """One resolution of the hourglass: a lateral connection with a block of its own, and the path through the next lower one."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.lateral = ResnetBlock(width, width)
        self.down = nn.Sequential(nn.MaxPool2d(2), ResnetBlock(width, width))
        self.inner = Level(width, depth - 1) if depth > 1 else ResnetBlock(width, width)
        self.up = ResnetBlock(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, width, h, w] to the same shape."""
        below = self.up(self.inner(self.down(features)))
        lateral: Tensor = self.lateral(features)
        return lateral + F.interpolate(below, scale_factor=2.0, mode="nearest")
