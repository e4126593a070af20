"""The networks of step 2 as one call: the frozen hourglass, then both pathways of the generator."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from streamdeblur.training.networks.deconvolution import DeconvolutionOutputs
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass


class PathwayOutputs(NamedTuple):
    """What both pathways make of a batch; images float [N, 3, H, W], not clamped."""

    restored: Tensor
    reconstructed: Tensor | None
    """The sharp images from themselves, where there is a sharp pathway."""
    deconvolved: DeconvolutionOutputs | None
    """What the generator's deconvolution found, where it has one."""


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

    def forward(self, blurry: Tensor, sharp: Tensor) -> PathwayOutputs:
        """Images float [N, 3, H, W], RGB in [0, 1]."""
        if self.generator is None:
            return PathwayOutputs(self.hourglass(blurry)[0], None, None)
        with torch.no_grad():
            coarse, code = self.hourglass(blurry)
        restored, deconvolved = self.generator.restore(blurry, coarse, code)
        if self.generator.sharp_encoder is None:
            return PathwayOutputs(restored, None, deconvolved)
        with torch.no_grad():
            sharp_code = self.hourglass.blur_code(sharp)
        return PathwayOutputs(restored, self.generator.reconstruct(sharp, sharp_code), deconvolved)
