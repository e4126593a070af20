"""The networks of step 2 as one module: the frozen hourglass, then both pathways of the generator."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import running_statistics_kept
from streamdeblur.training.networks.deconvolution import Memory
from streamdeblur.training.networks.generator import Restored, TwoPathGenerator, reference_of
from streamdeblur.training.networks.hourglass import Hourglass


class PathwayOutputs(NamedTuple):
    """Outputs of both pathways for a batch; images are float [N, 3, H, W], not clamped."""

    restored: Restored
    """G_bl(I_bl)."""
    reconstructed: Tensor | None
    """G_s(I_s); None without a sharp pathway."""
    targets: Tensor | None = None
    """What the restored images are compared with, float [N, 3, H, W]; None for the sharp images."""


class BothPathways(nn.Module):
    """G_bl and G_s in one forward pass, so that gradients of both are synchronised between processes at once.

    Without a generator the hourglass itself is trained (the variant HG-disc of Table 4). A generator that sees the blurry image
    alone has no hourglass (the variants cGAN-noHG).
    """

    def __init__(
        self, hourglass: Hourglass | None, generator: TwoPathGenerator | None, draft: TwoPathGenerator | None = None
    ) -> None:
        super().__init__()
        self.hourglass = None if hourglass is None else hourglass.requires_grad_(generator is None)
        self.draft = None if draft is None else draft.requires_grad_(False)
        self.generator = generator
        # a module begins in training mode with all of its parts, and a training does not set the mode
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen hourglass and a draft stay in evaluation mode."""
        super().train(mode)
        if self.generator is not None and self.hourglass is not None:
            self.hourglass.eval()
        if self.draft is not None:
            self.draft.eval()
        return self

    @property
    def trained(self) -> Hourglass | TwoPathGenerator:
        """The part that is trained."""
        trained = self.hourglass if self.generator is None else self.generator
        assert trained is not None
        return trained

    def forward(self, blurry: Tensor, sharp: Tensor, memory: Memory | None = None) -> PathwayOutputs:
        """Run both pathways on images, float [N, 3, H, W], RGB in [0, 1], with neighbouring crops of the same faces."""
        if self.generator is None:
            assert self.hourglass is not None
            return PathwayOutputs(Restored(self.hourglass(blurry)[0]), None)
        with torch.no_grad():
            coarse, code = (None, None) if self.hourglass is None else self.hourglass(blurry)
            reference, deep = reference_of(self.draft, blurry, coarse, code)
        restored = self.generator.restore(blurry, reference, code, memory, deep)
        targets = self.generator.targets(blurry, sharp)
        if self.generator.sharp_encoder is None:
            return PathwayOutputs(restored, None, targets)
        with torch.no_grad():
            sharp_code = None if self.hourglass is None else self.hourglass.blur_code(sharp)
        # features of sharp images have other statistics than those of blurry ones, which alone pass the decoder at prediction
        with running_statistics_kept(self.generator.decoder):
            reconstructed = self.generator.reconstruct(sharp, sharp_code)
        return PathwayOutputs(restored, reconstructed, targets)
