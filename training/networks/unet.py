"""Encoder and decoder for CPUs (preset `lite`): few, dense layers in place of the hourglass and of Table 3.

The first convolution takes patches of 4 x 4 pixels (or of 8 x 8, for a quarter of the work), so that no layer has few channels at
a high resolution; a pixel-shuffle at the end restores the resolution. The decoder predicts *detail*, which is added to a base
image; its last layer is zero at first, so training starts from that image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import ModulatedBlocks, PatchConv, zero_initialised

Levels = tuple[Tensor, Tensor, Tensor]
"""Features at 1/4, 1/8 and 1/16 of the image's resolution; for patches of 8 px, at half of these."""


def image_stem(width: int, patch: int) -> PatchConv:
    """Make the first layer of an encoder, for images [N, 3, H, W] whose sides are multiples of four patches."""
    return PatchConv(3, width, patch)


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


def for_larger_patches(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Change the weights of a network that takes patches of 4 px for one that takes patches of 8 px.

    That one then does at first with crops what the other does with crops of half the size, and enlarges what is added to them.

    Args:
        weights: By their names.
        own: Those of the network that they are for.

    Returns:
        `weights`, of which first layers average pixels, and last ones repeat them, wherever the shapes in `own` ask for it.
    """
    changed = dict(weights)
    for name in weights.keys() & own.keys():
        value, shape = weights[name], own[name].shape
        if value.ndim == 4 and shape[2:] == tuple(2 * side for side in value.shape[2:]):
            changed[name] = F.interpolate(value, scale_factor=2.0, mode="nearest") / 4
        elif name.startswith("decoder.head.") and shape[0] == 4 * len(value):
            # [3 * P * P, rest] is one square of P x P outputs for each colour
            side = round((len(value) / 3) ** 0.5)
            squares = value.reshape(3, side, side, -1).repeat_interleave(2, 1).repeat_interleave(2, 2)
            changed[name] = squares.reshape(shape)
    return changed


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
            stems: One first layer for each input, to `widths[0]` channels, one pixel for each patch of the image; they are added.
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

    def __init__(self, widths: tuple[int, int, int], blocks: tuple[int, int], code: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.up = nn.ModuleList(nn.Conv2d(wide, fine * 4, 1) for fine, wide in pairwise(widths))
        self.levels = nn.ModuleList(ModulatedBlocks(count, width, code) for count, width in zip(blocks, widths, strict=False))
        self.head = zero_initialised(nn.Conv2d(widths[0], 3 * patch**2, 1))

    def forward(self, levels: Levels, code: Tensor) -> Tensor:
        """Map features and blur codes [N, code] to detail, float [N, 3, H, W]."""
        fine, middle, coarse = levels
        middle = self.levels[1](middle + F.pixel_shuffle(self.up[1](coarse), 2), code)
        fine = self.levels[0](fine + F.pixel_shuffle(self.up[0](middle), 2), code)
        return F.pixel_shuffle(self.head(fine), self.patch)
