"""Encoder and decoder for CPUs (preset `lite`): few, dense layers in place of the hourglass and of Table 3.

The first convolution takes patches of 4 x 4 pixels, so that no layer has few channels at a high resolution; a pixel-shuffle at
the end restores the resolution. The decoder predicts *detail*, which is added to a base image; its last layer is zero at first,
so training starts from that image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import ModulatedBlocks, PatchConv, zero_initialised

STRIDE = 4
"""Stride of the first layer; sizes of images are multiples of four times this."""

Levels = tuple[Tensor, Tensor, Tensor]
"""Features at 1/4, 1/8 and 1/16 of the image's resolution."""


def image_stem(width: int) -> PatchConv:
    """Make the first layer of an encoder, for images [N, 3, H, W]."""
    return PatchConv(3, width, STRIDE)


def copy_into_wider(wide: nn.Module, narrow: nn.Module) -> None:
    """Copy the weights of `narrow` into `wide`, so that its first channels compute the same; both have the same layers.

    The other channels keep their initial weights, but do not contribute to the first ones yet (T. Chen et al., "Net2Net:
    accelerating learning via knowledge transfer", 2016).
    """
    weights = wide.state_dict()
    for name, value in narrow.state_dict().items():
        rows = weights[name][: len(value)]
        rows.zero_()
        if value.ndim > 1:
            rows = rows[:, : value.shape[1]]
        rows.copy_(value)


class UnetEncoder(nn.Module):
    """Images and other planes to features at three levels."""

    def __init__(
        self,
        stems: Sequence[PatchConv],
        widths: tuple[int, int, int],
        blocks: tuple[int, int, int],
        code: int,
        *,
        levels: int = 3,
    ) -> None:
        """
        Args:
            stems: One first layer for each input, to `widths[0]` channels at 1/4 of the image's resolution; they are added.
            widths: Channels at each level.
            blocks: Blocks at each level.
            code: Size of the blur code.
            levels: Number of levels that are its own, 2 or 3; the third may be another encoder's.
        """
        super().__init__()
        # The sum of one convolution each equals the convolution of the concatenated inputs, without the copy.
        self.stems = nn.ModuleList(stems)
        self.levels = nn.ModuleList(
            ModulatedBlocks(count, width, code) for count, width in zip(blocks[:levels], widths, strict=False)
        )
        self.down = nn.ModuleList(PatchConv(fine, wide, 2) for fine, wide in pairwise(widths[:levels]))

    def forward(self, inputs: Sequence[Tensor], code: Tensor, deep: Tensor | None = None) -> Levels:
        """Map one tensor for each stem, and blur codes [N, code], to features; `deep` are those of the third level, if another
        encoder has made them."""
        stems = [stem(planes) for stem, planes in zip(self.stems, inputs, strict=True)]
        fine = self.levels[0](reduce(torch.add, stems), code)
        middle = self.levels[1](self.down[0](fine), code)
        return fine, middle, self.levels[2](self.down[1](middle), code) if deep is None else deep


class UnetDecoder(nn.Module):
    """The encoder's features to detail [N, 3, H, W]; its two U-net skips are added."""

    def __init__(self, widths: tuple[int, int, int], blocks: tuple[int, int], code: int) -> None:
        super().__init__()
        self.up = nn.ModuleList(nn.Conv2d(wide, fine * 4, 1) for fine, wide in pairwise(widths))
        self.levels = nn.ModuleList(ModulatedBlocks(count, width, code) for count, width in zip(blocks, widths, strict=False))
        self.head = zero_initialised(nn.Conv2d(widths[0], 3 * STRIDE**2, 1))

    def forward(self, levels: Levels, code: Tensor) -> Tensor:
        """Map features and blur codes [N, code] to detail, float [N, 3, H, W]."""
        fine, middle, coarse = levels
        middle = self.levels[1](middle + F.pixel_shuffle(self.up[1](coarse), 2), code)
        fine = self.levels[0](fine + F.pixel_shuffle(self.up[0](middle), 2), code)
        return F.pixel_shuffle(self.head(fine), STRIDE)
