"""The networks of step 2 as one call: the frozen hourglass, then both pathways of the generator."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass


class BothPathways(nn.Module):
    """G_bl and, where there is one, G_s; one call, so that several processes agree on the gradients of both.

    Without a generator the hourglass itself is trained (the paper's HG-disc).
    """

    def __init__(self, hourglass: Hourglass, generator: TwoPathGenerator | None) -> None:
        super().__init__()
        self.hourglass = hourglass.requires_grad_(generator is None)
        self.generator = generator

    def train(self, mode: bool = True) -> Self:
        """Training mode; a frozen hourglass stays as it is at prediction."""
        super().train(mode)
        if self.generator is not None:
            self.hourglass.eval()
        return self

    @property
    def trained(self) -> Hourglass | TwoPathGenerator:
        """The part whose weights change."""
        return self.hourglass if self.generator is None else self.generator

    def forward(self, blurry: Tensor, sharp: Tensor) -> tuple[Tensor, Tensor | None]:
        """Restored images, and the sharp ones from themselves (None without that pathway); all float [N, 3, H, W]."""
        if self.generator is None:
            return self.hourglass(blurry)[0], None
        with torch.no_grad():
            coarse, code = self.hourglass(blurry)
        restored = self.generator(blurry, coarse, code)
        if self.generator.sharp_encoder is None:
            return restored, None
        with torch.no_grad():
            sharp_code = self.hourglass.blur_code(sharp)
        return restored, self.generator.reconstruct(sharp, sharp_code)
