"""Encoder and decoder for CPUs (preset `lite`): the roles of the hourglass and of Table 3, made of few, dense layers.

The first convolution folds 4 x 4 pixels, so no layer is thin and large; the last one unfolds them. The decoder writes
*detail*, which is added to a base image; its last layer begins at zero, so training begins from that image.
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
"""Of the first layer; sizes of images are multiples of 4 times it."""

Levels = tuple[Tensor, Tensor, Tensor]
"""Features at 1/4, 1/8 and 1/16 of the image's size."""


def image_stem(width: int) -> PatchConv:
    """The first layer for an image [N, 3, H, W]."""
    return PatchConv(3, width, STRIDE)


def copy_into_wider(wide: nn.Module, narrow: nn.Module) -> None:
    """Make `wide` compute what `narrow` computes, in its first channels; both have the same layers.

    The other channels keep their own first weights, but nothing of them reaches the first ones yet (T. Chen et al., "Net2Net:
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
    """Images and other planes to features at three levels: the first layer sees them as one image of more channels."""

    def __init__(self, stems: Sequence[PatchConv], widths: tuple[int, int, int], blocks: tuple[int, int, int], code: int) -> None:
        """Each of the `stems` takes one of the inputs to `widths[0]` channels at 1/4 of the image's size."""
        super().__init__()
        # the convolution of a concatenation is the sum of one convolution each, and nothing has to be copied
        self.stems = nn.ModuleList(stems)
        self.levels = nn.ModuleList(ModulatedBlocks(count, width, code) for count, width in zip(blocks, widths, strict=True))
        self.down = nn.ModuleList(PatchConv(fine, wide, 2) for fine, wide in pairwise(widths))

    def forward(self, inputs: Sequence[Tensor], code: Tensor) -> Levels:
        stems = [stem(planes) for stem, planes in zip(self.stems, inputs, strict=True)]
        fine = self.levels[0](reduce(torch.add, stems), code)
        middle = self.levels[1](self.down[0](fine), code)
        return fine, middle, self.levels[2](self.down[1](middle), code)


class UnetDecoder(nn.Module):
    """The encoder's features to detail [N, 3, H, W]; two U-net skips, which are added."""

    def __init__(self, widths: tuple[int, int, int], blocks: tuple[int, int], code: int) -> None:
        super().__init__()
        self.up = nn.ModuleList(nn.Conv2d(wide, fine * 4, 1) for fine, wide in pairwise(widths))
        self.levels = nn.ModuleList(ModulatedBlocks(count, width, code) for count, width in zip(blocks, widths, strict=False))
        self.head = zero_initialised(nn.Conv2d(widths[0], 3 * STRIDE**2, 1))

    def forward(self, levels: Levels, code: Tensor) -> Tensor:
        fine, middle, coarse = levels
        middle = self.levels[1](middle + F.pixel_shuffle(self.up[1](coarse), 2), code)
        fine = self.levels[0](fine + F.pixel_shuffle(self.up[0](middle), 2), code)
        return F.pixel_shuffle(self.head(fine), STRIDE)
