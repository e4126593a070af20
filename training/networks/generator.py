"""Step 2: the generator with two pathways restores high frequencies (Sec. 3.2 and 3.3)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from streamdeblur.options import Settings
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.table3 import Table3Decoder, Table3Encoder
from streamdeblur.training.networks.unet import UnetDecoder, UnetEncoder, widen

LOW_PASS = 8
"""Factor by which a sharp image is shrunk and enlarged again to be the base of its own reconstruction (kind `unet`)."""


class GeneratorPreset(Settings):
    """Shape of a `TwoPathGenerator`."""

    kind: Literal["table3", "unet"] = Field(default="table3", description="The paper's, or the dense one for CPUs.")
    conditioned: bool = Field(default=True, description="G_bl sees the coarse image beside the blurry one.")
    sharp_pathway: bool = Field(default=True, description="Train G_s, the auto-encoder of sharp images, beside G_bl.")
    width: float = Field(default=1.0, gt=0, le=1, description="table3: share of the filters of Table 3.")
    widths: tuple[int, int, int] = Field(default=(48, 80, 160), description="unet: channels at 1/4, 1/8 and 1/16.")
    encoder_blocks: tuple[int, int, int] = Field(default=(1, 1, 2), description="unet: blocks at each level of the encoder.")
    decoder_blocks: tuple[int, int] = Field(default=(1, 1), description="unet: blocks at 1/4 and 1/8 of the decoder.")


class TwoPathGenerator(nn.Module):
    """G_bl and G_s: an encoder for blurry and one for sharp images, and one decoder for both.

    The shared decoder draws what the blurry encoder finds towards the manifold of sharp images. At prediction only G_bl remains.
    In kind `unet` the decoder writes detail onto a base; the sharp pathway's base is the sharp image without its fine detail.
    """

    def __init__(self, preset: GeneratorPreset, code: int) -> None:
        """`code` is the size of the hourglass's blur code (kind `unet`)."""
        super().__init__()
        self.preset = preset
        images = 2 if preset.conditioned else 1
        if preset.kind == "table3":
            self.blurry_encoder: nn.Module = Table3Encoder(3 * images, preset.width)
            self.sharp_encoder: nn.Module | None = Table3Encoder(3, preset.width)
            self.decoder: nn.Module = Table3Decoder(preset.width)
        else:
            self.blurry_encoder = UnetEncoder(images, preset.widths, preset.encoder_blocks, code)
            self.sharp_encoder = UnetEncoder(1, preset.widths, preset.encoder_blocks, code)
            self.decoder = UnetDecoder(preset.widths, preset.decoder_blocks, code)
        if not preset.sharp_pathway:
            self.sharp_encoder = None

    def forward(self, blurry: Tensor, coarse: Tensor, code: Tensor | None) -> Tensor:
        """G_bl: restored images, not clamped. Images float [N, 3, H, W] in [0, 1]; table3: 256 x 256, unet: multiples of 16,
        and the detail is added to the blurry ones."""
        images = [blurry, coarse] if self.preset.conditioned else [blurry]
        if code is None:
            restored: Tensor = self.decoder(*self.blurry_encoder(torch.cat(images, dim=1))).float()
            return restored
        detail: Tensor = self.decoder(self.blurry_encoder(images, code), code).float()
        return blurry + detail

    def begin_as(self, hourglass: Hourglass) -> None:
        """Begin as a wider copy of the hourglass (kind `unet`): the first restored images are the coarse ones.

        From random weights G_bl learns once more what the hourglass knows before it can better it.
        """
        assert isinstance(self.blurry_encoder, UnetEncoder)
        widen(self.blurry_encoder, hourglass.encoder)
        widen(self.decoder, hourglass.decoder)
        with torch.no_grad():
            # the coarse image is seen by the other channels alone
            for weights in self.blurry_encoder.stems[-1].parameters() if self.preset.conditioned else ():
                weights[: hourglass.preset.widths[0]] = 0

    @property
    def needs_hourglass(self) -> bool:
        """Does G_bl see the coarse image, or the blur code?"""
        return self.preset.conditioned or self.preset.kind == "unet"

    def reconstruct(self, sharp: Tensor, code: Tensor | None) -> Tensor:
        """G_s: sharp images from themselves; `code` is the hourglass's blur code of the sharp images."""
        if self.sharp_encoder is None:
            raise ValueError("This generator has no sharp pathway.")
        if code is None:
            reconstructed: Tensor = self.decoder(*self.sharp_encoder(sharp)).float()
            return reconstructed
        detail: Tensor = self.decoder(self.sharp_encoder([sharp], code), code).float()
        return low_pass(sharp) + detail


def low_pass(images: Tensor) -> Tensor:
    """Images without detail finer than `LOW_PASS` pixels."""
    return F.interpolate(F.avg_pool2d(images, LOW_PASS), scale_factor=LOW_PASS, mode="bilinear", align_corners=False)
