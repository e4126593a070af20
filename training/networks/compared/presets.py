"""The shapes of the compared networks, and the weights of their losses, as configurations state them. Imports no torch.

The defaults are the sizes of the originals; `configs/compared` reduces them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamdeblur.settings import Settings
from streamdeblur.training.networks.presets import Blocks, Channels

Weight = Annotated[float, Field(ge=0, le=1e9)]
Layers = Annotated[tuple[Channels, ...], Field(min_length=1, max_length=8)]


class NahPreset(Settings):
    """S. Nah et al. 2017: three scales from coarse to fine."""

    kind: Literal["nah"] = "nah"
    channels: int = Field(default=64, ge=1, le=4096, description="Channels of all convolutions.")
    blocks: Blocks = Field(default=19, description="Residual blocks of each scale.")
    patch: Literal[1, 2, 4] = Field(
        default=1, description="Side in pixels of the patches that become channels at each scale; the original has none."
    )
    critic: Channels = Field(default=32, description="Channels of the first layer of the discriminator.")
    adversarial: Weight = Field(default=1e-4, description="Weight of the adversarial term at the finest scale.")


class ResnetPreset(Settings):
    """Shape of a `ResnetGenerator` (J. Johnson et al. 2016) and of the discriminators that it is trained against."""

    channels: int = Field(default=64, ge=1, le=1024, description="Channels of the generator at the full resolution.")
    blocks: Blocks = Field(default=9, description="Residual blocks of the generator, at a quarter of the resolution.")
    critic: Layers = Field(
        default=(64, 128, 256, 512), description="Channels of the discriminator; all layers but the last one halve the size."
    )


class KupynPreset(ResnetPreset):
    """O. Kupyn et al. 2018 (DeblurGAN): a Wasserstein GAN with a perceptual loss."""

    kind: Literal["kupyn"] = "kupyn"
    critic_steps: int = Field(default=5, ge=1, le=100, description="Steps of the critic for each one of the generator.")
    penalty: Weight = Field(default=10.0, description="Weight of the gradient penalty of the critic.")
    content: Weight = Field(default=100.0, description="Weight of the distance of features, or of pixels without a network.")


class ZhuPreset(ResnetPreset):
    """J.-Y. Zhu et al. 2017 (CycleGAN): learns from images that are not paired."""

    kind: Literal["zhu"] = "zhu"
    cycle: Weight = Field(default=10.0, description="Weight of the cycle loss.")
    identity: Weight = Field(default=5.0, description="Weight of the identity loss.")
    history: int = Field(default=50, ge=0, le=1000, description="Generated images from which the discriminators also learn.")


class ChakrabartiPreset(Settings):
    """A. Chakrabarti 2016: predicts a deconvolution filter for each patch, then one kernel for the whole crop."""

    kind: Literal["chakrabarti"] = "chakrabarti"
    units: int = Field(default=1024, ge=1, le=4096, description="Units of the first layers; up to four times in later ones.")
    layers: int = Field(default=5, ge=1, le=16, description="Layers after the bands have been joined.")
    stride: Literal[1, 2, 4, 8, 16] = Field(default=1, description="Pixels between the patches that are averaged.")


ComparedPreset = Annotated[NahPreset | KupynPreset | ZhuPreset | ChakrabartiPreset, Field(discriminator="kind")]
"""One of the compared methods."""
