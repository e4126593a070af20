"""Both steps as they are exported: one blurry crop in, the restored and the coarse one out."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from streamdeblur.options import Settings
from streamdeblur.training.networks.discriminator import DiscriminatorPreset
from streamdeblur.training.networks.generator import GeneratorPreset, TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass, HourglassPreset


class Preset(Settings):
    """Shapes of all networks: `paper` to the letter, or `lite` for CPUs."""

    name: str = Field(default="paper", description="Written into the exported file.")
    hourglass: HourglassPreset = HourglassPreset()
    generator: GeneratorPreset = GeneratorPreset()
    discriminator: DiscriminatorPreset = DiscriminatorPreset()

    @model_validator(mode="after")
    def _check_generator(self) -> Self:
        first, second = self.hourglass, self.generator
        if second.kind == "unet":
            same = (first.encoder_blocks, first.decoder_blocks) == (second.encoder_blocks, second.decoder_blocks)
            if first.kind != "modulated" or not same or any(a > b for a, b in zip(first.widths, second.widths, strict=True)):
                raise ValueError("a unet generator begins as a modulated hourglass: it has its blocks, and no fewer channels")
        return self


class TwoStep(nn.Module):
    """H, then G_bl; what remains of the method at prediction."""

    def __init__(self, hourglass: Hourglass, generator: TwoPathGenerator | None) -> None:
        """Without a generator the coarse image is also the restored one."""
        super().__init__()
        self.hourglass = hourglass
        self.generator = generator

    def forward(self, blurry: Tensor) -> tuple[Tensor, Tensor]:
        """(restored, coarse), clamped to [0, 1]; all three float [N, 3, H, W], RGB in [0, 1]."""
        coarse, code = self.hourglass(blurry)
        restored = coarse if self.generator is None else self.generator(blurry, coarse, code)
        return restored.clamp(0.0, 1.0), coarse.clamp(0.0, 1.0)
