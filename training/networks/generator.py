"""The generator of step 2 with two pathways, which restores high frequencies (Sec. 3.2 and 3.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.kernels.luma import BLUE, GREEN, RED
from streamdeblur.training.networks.blocks import PatchConv
from streamdeblur.training.networks.confidence import Confidence
from streamdeblur.training.networks.constants import constant
from streamdeblur.training.networks.deconvolution import RESPONSES, Deconvolution, DeconvolutionOutputs, Memory
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.presets import GeneratorPreset
from streamdeblur.training.networks.table3 import Table3Decoder, Table3Encoder
from streamdeblur.training.networks.unet import FineStage, UnetDecoder, UnetEncoder, copy_into_wider, image_stem


class Restored(NamedTuple):
    """Outputs of G_bl."""

    images: Tensor
    """float32 [N, 3, H, W], not clamped."""
    confidence: Tensor | None = None
    """float32 [N, 1, 1, 1] in (0, 1): how far the images are to be trusted; None where the generator does not say."""
    deconvolved: DeconvolutionOutputs | None = None
    deep: Tensor | None = None
    """Features of the third level (kind "unet"), for a second generator."""

    def trusted(self, blurry: Tensor) -> Tensor:
        """Return the images as far as they are trusted: between the blurry ones, [N, 3, H, W], and the restored ones."""
        return self.images if self.confidence is None else blurry + self.confidence * (self.images - blurry)


class Reference(NamedTuple):
    """What a generator begins with beside the blurry images."""

    images: Tensor | None
    """The coarse ones, or those of a draft in [0, 1]: float [N, 3, H, W]; None without a hourglass."""
    deep: Tensor | None = None
    """Features of the third level of the draft's generator."""


LOW_PASS = 8
"""Pixels of the finest detail in the base image of G_s (kind "unet")."""


class TwoPathGenerator(nn.Module):
    """G_bl and G_s: an encoder for blurry images, one for sharp images, and one decoder for both.

    The shared decoder draws the features of blurry images towards the manifold of sharp ones. At prediction only G_bl remains.
    In the kind "unet" the decoder predicts detail that is added to a base image: the blurry image for G_bl, the sharp image
    without its fine detail for G_s. With an output of luma alone, chroma is that of the input.
    """

    def __init__(self, preset: GeneratorPreset, code: int) -> None:
        """
        Args:
            preset: Shape of the generator.
            code: Size of the hourglass's blur code (kind "unet").
        """
        super().__init__()
        self.preset = preset
        images = 2 if preset.conditioned else 1
        self.deconvolution = None if preset.deconvolution is None else Deconvolution(preset.deconvolution, preset.patch // 2)
        if preset.kind == "table3":
            self.blurry_encoder: nn.Module = Table3Encoder(3 * images, preset.width)
            self.sharp_encoder: nn.Module | None = Table3Encoder(3, preset.width)
            self.decoder: nn.Module = Table3Decoder(preset.width, 1 if preset.output == "luma" else 3)
        else:
            stems = [image_stem(preset.widths[0], preset.patch) for _ in range(images)]
            if self.deconvolution is not None:
                stems.append(PatchConv(RESPONSES, preset.widths[0], 2))
            levels = 2 if preset.deep_features == "draft" else 3
            self.blurry_encoder = UnetEncoder(stems, preset.widths, preset.encoder_blocks, code, levels=levels)
            stem = image_stem(preset.widths[0], preset.patch)
            self.sharp_encoder = UnetEncoder([stem], preset.widths, preset.encoder_blocks, code)
            planes = RESPONSES if self.deconvolution is not None else 0
            fine = FineStage(preset.widths[0], preset.fine_width, planes, code) if preset.fine_width else None
            self.decoder = UnetDecoder(preset.widths, preset.decoder_blocks, code, preset.patch, fine)
        self.confidence = Confidence(sum(preset.widths[1:]), code) if preset.confidence and preset.kind == "unet" else None
        if not preset.sharp_pathway:
            self.sharp_encoder = None

    def forward(
        self, blurry: Tensor, coarse: Tensor | None, code: Tensor | None, memory: Memory | None = None, deep: Tensor | None = None
    ) -> Tensor:
        """Restore blurry images (G_bl), as far as the restoration is to be trusted.

        Args:
            blurry: float [N, 3, H, W] in [0, 1]. H and W are 256 (table3), or multiples of four patches
                (unet); equal for a deconvolution.
            coarse: Output of the hourglass, in the same form; None for a generator that sees the blurry image alone.
            code: Blur code of the hourglass [N, code]; None in the kind "table3".
            memory: Neighbouring crops of the same faces, for a deconvolution that has a memory.
            deep: Features of the draft's generator, for one that has none of its own.

        Returns:
            float [N, 3, H, W], not clamped.
        """
        return self.restore(blurry, coarse, code, memory, deep).trusted(blurry)

    def restore(
        self, blurry: Tensor, coarse: Tensor | None, code: Tensor | None, memory: Memory | None = None, deep: Tensor | None = None
    ) -> Restored:
        """Restore blurry images; arguments as for `forward`."""
        inputs = [blurry]
        if self.preset.conditioned:
            assert coarse is not None
            inputs.append(coarse)
        if code is None:
            return Restored(self._coloured(self.decoder(*self.blurry_encoder(torch.cat(inputs, dim=1))).float(), blurry))
        deconvolved = None if self.deconvolution is None else self.deconvolution(blurry, coarse, memory)
        if deconvolved is not None:
            inputs.append(deconvolved.planes)
        levels = self.blurry_encoder(inputs, code, deep)
        confidence = None if self.confidence is None else self.confidence(levels[1:], code)
        return Restored(blurry + self.decoder(levels, code, inputs).float(), confidence, deconvolved, levels[2])

    def initialise_from(self, hourglass: Hourglass) -> None:
        """Start as a wider copy of the hourglass (kind "unet"), so that restored images are at first the coarse ones.

        From random weights, G_bl would first have to learn again what the hourglass has learned.
        """
        assert isinstance(self.blurry_encoder, UnetEncoder)
        copy_into_wider(self.blurry_encoder, hourglass.encoder)
        copy_into_wider(self.decoder, hourglass.decoder)
        with torch.no_grad():
            # the first channels do not depend on inputs that the hourglass does not have
            for stem in self.blurry_encoder.stems[1:]:
                for weights in stem.parameters():
                    weights[: hourglass.preset.widths[0]] = 0

    def reconstruct(self, sharp: Tensor, code: Tensor | None) -> Tensor:
        """Reconstruct sharp images from themselves (G_s, eq. 6).

        Args:
            sharp: float [N, 3, H, W] in [0, 1].
            code: The hourglass's blur code of `sharp`, [N, code]; None in the kind "table3".

        Returns:
            float [N, 3, H, W], not clamped.

        Raises:
            ValueError: The preset has no sharp pathway.
        """
        if self.sharp_encoder is None:
            raise ValueError("This generator has no sharp pathway.")
        if code is None:
            return self._coloured(self.decoder(*self.sharp_encoder(sharp)).float(), sharp)
        detail: Tensor = self.decoder(self.sharp_encoder([sharp], code), code).float()
        return low_pass(sharp) + detail

    def targets(self, blurry: Tensor, sharp: Tensor) -> Tensor:
        """Return what restored images are compared with, float [N, 3, H, W].

        These are the sharp images; with an output of luma alone, their luma with the chroma of the blurry ones.
        """
        return sharp if self.preset.output == "colour" else with_luma(blurry, luma_of(sharp))

    def _coloured(self, output: Tensor, images: Tensor) -> Tensor:
        """The output of the decoder as colours; that of luma alone with the chroma of images."""
        return output if self.preset.output == "colour" else with_luma(images, output)


def reference_of(draft: TwoPathGenerator | None, blurry: Tensor, coarse: Tensor | None, code: Tensor | None) -> Reference:
    """Return the coarse images, or what a draft makes of them; arguments as for `TwoPathGenerator.forward`."""
    if draft is None:
        return Reference(coarse)
    restored = draft.restore(blurry, coarse, code)
    return Reference(restored.images.clamp(0.0, 1.0), restored.deep)


def with_luma(images: Tensor, luma: Tensor) -> Tensor:
    """Return images [N, 3, H, W] with another luma [N, 1, H, W]: the differences of colours and luma, which are chroma, stay."""
    return images + (luma - luma_of(images))


def luma_of(images: Tensor) -> Tensor:
    """Return the luma (Rec. 601) of images [N, 3, H, W]: [N, 1, H, W]; also in mixed precision in that of the images."""
    return (images * constant((RED, GREEN, BLUE), images.dtype, images.device)[:, None, None]).sum(1, keepdim=True)


def low_pass(images: Tensor) -> Tensor:
    """Remove detail finer than `LOW_PASS` pixels from images [N, 3, H, W]."""
    return F.interpolate(F.avg_pool2d(images, LOW_PASS), scale_factor=LOW_PASS, mode="bilinear", align_corners=False)
