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


FINE_UP = "decoder.fine.up."
FINE_PATCH = 4
"""Side in pixels of the patches of a `FineStage`."""


def image_stem(width: int, patch: int) -> PatchConv:
    """Make the first layer of an encoder, for images [N, 3, H, W] whose sides are multiples of four patches."""
    return PatchConv(3, width, patch)


def copy_into_wider(wide: nn.Module, narrow: nn.Module) -> None:
    """Copy the weights of `narrow` into `wide`, so that its first channels compute the same; layers that it lacks are left out.

    The other channels keep their initial weights, but do not contribute to the first ones yet (T. Chen et al., "Net2Net:
    accelerating learning via knowledge transfer", 2016).
    """
    weights = wide.state_dict()
    for name, value in narrow.state_dict().items():
        if name not in weights:
            continue
        rows = weights[name][: len(value)]
        rows.zero_()
        if value.ndim > 1:
            rows = rows[:, : value.shape[1]]
        rows.copy_(value)


def for_larger_patches(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Change the weights of a network that takes patches of 4 px for one that takes patches of 8 px.

    That one then does at first with crops what the other does with crops of half the size, and enlarges what is added to them;
    but for kernels, of which it cleans a smaller middle.

    Args:
        weights: By their names.
        own: Those of the network that they are for.

    Returns:
        `weights`, of which first layers average pixels, and last ones repeat them, wherever the shapes in `own` ask for it. A
        `FineStage` that they lack makes at first the detail of their last layer.
    """
    changed = dict(weights)
    for name in weights.keys() & own.keys():
        value, shape = weights[name], own[name].shape
        if value.ndim == 4 and shape[2:] == tuple(2 * side for side in value.shape[2:]):
            changed[name] = F.interpolate(value, scale_factor=2.0, mode="nearest") / 4
        elif name.startswith("decoder.head.") and shape[0] == 4 * len(value):
            changed[name] = _enlarged_patches(value)
    if FINE_UP + "weight" in own and FINE_UP + "weight" not in weights:
        changed |= _fine_stage_of(changed, own)
    return changed


def _enlarged_patches(head: Tensor) -> Tensor:
    """Repeat the outputs of a last layer, [3 * P * P, ...] of a square of P x P per colour, to squares of twice the side."""
    side = round((len(head) / 3) ** 0.5)
    squares = head.reshape(3, side, side, -1).repeat_interleave(2, 1).repeat_interleave(2, 2)
    return squares.reshape(4 * len(head), *head.shape[1:])


def _fine_stage_of(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a `FineStage`, which at first makes the detail that the last layer of a decoder without one makes."""
    stage = {name: value for name, value in own.items() if name.startswith("decoder.fine.")}
    for kind in ("weight", "bias"):
        head = weights.get(f"decoder.head.{kind}")
        if head is None:
            return {}
        if len(head) == 3 * FINE_PATCH**2:
            head = _enlarged_patches(head)
        # [3, row of 2, row of P, column of 2, column of P] to channels [3, P, P] of patches, of which each has 2 x 2 places
        squares = head.reshape(3, 2, FINE_PATCH, 2, FINE_PATCH, -1).permute(0, 2, 4, 1, 3, 5)
        up = stage[FINE_UP + kind].clone()
        up[-len(head) :] = squares.reshape(len(head), *up.shape[1:])
        stage[FINE_UP + kind] = up
    return stage


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


class FineStage(nn.Module):
    """Features of patches of 8 px to detail, by way of patches of 4 px, with few channels.

    One convolution would have to make 192 values of a patch from 32 features. This stage adds what the blurry and the
    deconvolved image show at patches of 4 px, for about a tenth of the time.
    """

    def __init__(self, features: int, width: int, planes: int, code: int) -> None:
        """
        Args:
            features: Channels at patches of 8 px.
            width: Channels at patches of 4 px.
            planes: Planes of the deconvolved image, at 1/4 of the resolution; 0: there is none.
            code: Size of the blur code.
        """
        super().__init__()
        self.width = width
        self.blurry_stem = image_stem(width, FINE_PATCH)
        self.deconvolved_stem = nn.Conv2d(planes, width, 1) if planes else None
        self.up = nn.Conv2d(features, 4 * (width + 3 * FINE_PATCH**2), 1)
        self.blocks = ModulatedBlocks(1, width, code)
        self.head = zero_initialised(nn.Conv2d(width, 3 * FINE_PATCH**2, 1))

    def forward(self, features: Tensor, code: Tensor, inputs: Sequence[Tensor]) -> Tensor:
        """Map features [N, features, H / 8, W / 8], blur codes [N, code] and the inputs of the encoder to detail [N, 3, H, W]."""
        enlarged = F.pixel_shuffle(self.up(features), 2)
        fine = enlarged[:, : self.width] + self.blurry_stem(inputs[0])
        if self.deconvolved_stem is not None:
            fine = fine + self.deconvolved_stem(inputs[-1])
        fine = self.blocks(fine, code)
        return F.pixel_shuffle(enlarged[:, self.width :] + self.head(fine), FINE_PATCH)


class UnetDecoder(nn.Module):
    """The encoder's features to detail [N, 3, H, W]; its two U-net skips are added."""

    def __init__(
        self, widths: tuple[int, int, int], blocks: tuple[int, int], code: int, patch: int, fine: FineStage | None = None
    ) -> None:
        """
        Args:
            widths: Channels at each level.
            blocks: Blocks at the first two levels.
            code: Size of the blur code.
            patch: Side in pixels of the patches that became one pixel each.
            fine: What turns the features of the first level into detail, in place of one convolution.
        """
        super().__init__()
        self.patch = patch
        self.up = nn.ModuleList(nn.Conv2d(wide, fine * 4, 1) for fine, wide in pairwise(widths))
        self.levels = nn.ModuleList(ModulatedBlocks(count, width, code) for count, width in zip(blocks, widths, strict=False))
        self.fine = fine
        self.head = zero_initialised(nn.Conv2d(widths[0], 3 * patch**2, 1)) if fine is None else None

    def forward(self, levels: Levels, code: Tensor, inputs: Sequence[Tensor] = ()) -> Tensor:
        """Map features and blur codes [N, code] to detail, float [N, 3, H, W]; a fine stage needs the encoder's inputs."""
        fine, middle, coarse = levels
        middle = self.levels[1](middle + F.pixel_shuffle(self.up[1](coarse), 2), code)
        fine = self.levels[0](fine + F.pixel_shuffle(self.up[0](middle), 2), code)
        if self.fine is not None:
            detail: Tensor = self.fine(fine, code, inputs)
            return detail
        assert self.head is not None
        return F.pixel_shuffle(self.head(fine), self.patch)
