"""The shapes of the networks, as configurations state them. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamdeblur.network import LARGEST_MEMORY
from streamdeblur.settings import Settings

Channels = Annotated[int, Field(ge=1, le=4096)]
Blocks = Annotated[int, Field(ge=0, le=64)]
Patch = Literal[4, 8]
"""Side of the patches that a modulated hourglass and a unet begin with: their levels are at 1/P, 1/2P and 1/4P of the
resolution, and the deconvolution is at 2/P."""


class HourglassPreset(Settings):
    """Shape of an `Hourglass`."""

    kind: Literal["newell", "modulated"] = Field(default="newell", description="The paper's, or the dense one for CPUs.")
    width: int = Field(default=256, ge=4, le=4096, description="newell: channels everywhere.")
    depth: int = Field(default=4, ge=1, le=6, description="newell: halvings below a quarter of the resolution.")
    widths: tuple[Channels, Channels, Channels] = Field(
        default=(32, 64, 128), description="modulated: channels at 1/4, 1/8 and 1/16 for patches of 4 px."
    )
    encoder_blocks: tuple[Blocks, Blocks, Blocks] = Field(
        default=(1, 1, 2), description="modulated: blocks at each level of the encoder."
    )
    decoder_blocks: tuple[Blocks, Blocks] = Field(
        default=(1, 1), description="modulated: blocks of the decoder at the first two levels."
    )
    code: int = Field(default=96, ge=1, le=4096, description="modulated: size of the blur code.")
    patch: Patch = Field(default=4, description="modulated: side in pixels of the patches that the first layer takes.")


class DeconvolutionPreset(Settings):
    """Shape of a `Deconvolution`."""

    channels: int = Field(
        default=32, ge=4, le=4096, description="Channels of the network that weights the edges, at 1/4 resolution."
    )
    kernel_channels: int = Field(default=48, ge=4, le=4096, description="Channels of the network that cleans the kernel.")
    kernel_blocks: int = Field(default=4, ge=1, le=64, description="Residual blocks of the network that cleans the kernel.")
    memory: int = Field(
        default=0, ge=0, le=LARGEST_MEMORY, description="Neighbouring crops of a track that are deconvolved with the present one."
    )


class GeneratorPreset(Settings):
    """Shape of a `TwoPathGenerator`."""

    kind: Literal["table3", "unet"] = Field(default="table3", description="The paper's, or the dense one for CPUs.")
    conditioned: bool = Field(default=True, description="Whether G_bl gets the coarse image beside the blurry one.")
    sharp_pathway: bool = Field(default=True, description="Whether to train G_s, the auto-encoder of sharp images, with G_bl.")
    width: float = Field(default=1.0, gt=0, le=1, description="table3: number of filters relative to Table 3.")
    output: Literal["colour", "luma"] = Field(
        default="colour",
        description="table3: filters of the last layer, 3 for the colours or 1 for luma; restored images then have the chroma of "
        "the blurry ones.",
    )
    widths: tuple[Channels, Channels, Channels] = Field(
        default=(48, 80, 160), description="unet: channels at 1/4, 1/8 and 1/16 for patches of 4 px."
    )
    encoder_blocks: tuple[Blocks, Blocks, Blocks] = Field(
        default=(1, 1, 2), description="unet: blocks at each level of the encoder."
    )
    decoder_blocks: tuple[Blocks, Blocks] = Field(
        default=(1, 1), description="unet: blocks of the decoder at the first two levels."
    )
    deep_features: Literal["own", "draft"] = Field(
        default="own", description="unet: whether the features at 1/16 are its own or those of the draft's generator."
    )
    deconvolution: DeconvolutionPreset | None = Field(default=None, description="unet: G_bl also gets a deconvolved image.")
    patch: Patch = Field(default=4, description="unet: side in pixels of the patches that the first layer takes.")
    fine_width: int = Field(
        default=0, ge=0, le=4096, description="unet with patches of 8 px: channels of a last stage at 1/4; 0: without it."
    )
    confidence: bool = Field(default=False, description="unet: whether G_bl says how far each restoration is to be trusted.")

    @property
    def memory(self) -> int:
        """Number of neighbouring crops that G_bl gets beside the present one."""
        return self.deconvolution.memory if self.deconvolution is not None else 0

    @property
    def needs_hourglass(self) -> bool:
        """Whether G_bl gets the coarse image or the blur code."""
        return self.conditioned or self.kind == "unet"

    @model_validator(mode="after")
    def _check_output(self) -> Self:
        if self.output == "luma" and self.kind != "table3":
            raise ValueError("an output of luma alone needs the kind 'table3'")
        return self

    @model_validator(mode="after")
    def _check_deconvolution(self) -> Self:
        if self.deconvolution is not None and (self.kind != "unet" or not self.conditioned):
            raise ValueError("the deconvolution needs a coarse image and the kind 'unet'")
        if self.memory and self.patch != 4:
            raise ValueError("neighbours are given at half of the resolution, which is that of patches of 4 px")
        if self.fine_width and (self.kind, self.patch) != ("unet", 8):
            raise ValueError("a last stage at 1/4 follows patches of 8 px in the kind 'unet'")
        return self


class DiscriminatorPreset(Settings):
    """Shape of a `Discriminator`."""

    widths: tuple[Channels, Channels, Channels, Channels] = Field(
        default=(64, 128, 256, 512), description="Channels of the first four layers."
    )
    normalised: bool = Field(default=True, description="Batch normalisation on layers 2 to 4.")


class NetworkPreset(Settings):
    """Shapes of all networks. The defaults are those of the paper (Sec. 3, Table 3)."""

    name: str = Field(default="paper", description="Written into the exported file.")
    hourglass: HourglassPreset = HourglassPreset()
    draft: GeneratorPreset | None = Field(
        default=None, description="A generator of single frames, trained before, whose image takes the place of the coarse one."
    )
    generator: GeneratorPreset = GeneratorPreset()
    discriminator: DiscriminatorPreset = DiscriminatorPreset()

    @model_validator(mode="after")
    def _check_draft(self) -> Self:
        if self.draft is not None and (self.draft.kind, self.draft.memory) != ("unet", 0):
            raise ValueError("a draft is restored by a unet generator without a memory")
        if self.draft is None and self.generator.deep_features == "draft":
            raise ValueError("the features of a draft need a draft")
        return self

    @model_validator(mode="after")
    def _check_generator(self) -> Self:
        first, second = self.hourglass, self.generator
        if second.kind == "unet":
            blocks, others = first.encoder_blocks + first.decoder_blocks, second.encoder_blocks + second.decoder_blocks
            more = any(a < b for a, b in zip(blocks, others, strict=True))
            if first.kind != "modulated" or more or any(a > b for a, b in zip(first.widths, second.widths, strict=True)):
                raise ValueError("a unet generator begins as a modulated hourglass: no more blocks, and no fewer channels")
            drafts = [self.draft.patch] if self.draft is not None else []
            if {first.patch, *drafts} != {second.patch}:
                raise ValueError("the hourglass, the draft and the generator take patches of one size")
        return self
