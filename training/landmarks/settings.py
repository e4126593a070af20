"""The settings of a training of the landmark network. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from streamdeblur.config_files import read_config
from streamdeblur.configs import LANDMARKS
from streamdeblur.setting_types import LARGEST_COUNT, LARGEST_SEED
from streamdeblur.settings import Settings
from streamdeblur.training.config import OptimiserSettings, Precision

Width = Annotated[int, Field(ge=4, le=512, multiple_of=4)]
Blocks = Annotated[int, Field(ge=1, le=32)]
Share = Annotated[float, Field(ge=0, le=1)]


class LandmarkNetworkSettings(Settings):
    """The shape of the network."""

    stem: Width = Field(default=16, description="Channels at half of the resolution.")
    widths: tuple[Width, Width, Width] = Field(default=(32, 64, 128), description="Channels at 1/4, 1/8 and 1/16.")
    blocks: tuple[Blocks, Blocks, Blocks] = Field(default=(1, 3, 6), description="Residual blocks there, on the way down.")
    returning: tuple[Blocks, Blocks] = Field(default=(1, 1), description="Residual blocks at 1/4 and 1/8, on the way up.")


class AugmentationSettings(Settings):
    """How often the views of faces are changed."""

    wide: Share = Field(default=0.5, description="Faces whose view is as far off as that of a window may be; others are upright.")
    blurred: Share = Field(default=0.25, description="Faces that are blurred with a kernel of a shaking camera.")
    extents: tuple[float, float] = Field(default=(3.0, 14.0), description="Extents of these kernels in pixels of a 256 px crop.")
    resampled: Share = Field(default=0.2, description="Faces that are reduced and enlarged again.")
    occluded: Share = Field(default=0.25, description="Faces of which a part is hidden.")
    noisy: Share = Field(default=0.3, description="Faces with noise.")
    compressed: Share = Field(default=0.3, description="Faces that are compressed as JPEG.")


class LandmarkConfig(Settings):
    """Settings of a training. Durations are numbers of images, whatever the batch size and the machine."""

    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="Seed of all random numbers.")
    network: LandmarkNetworkSettings = LandmarkNetworkSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    least_sharpness: float = Field(default=30.0, ge=0, description="Variance of the Laplacian below which stills are left out.")
    frames_per_clip: int = Field(default=24, ge=1, le=LARGEST_COUNT, description="Frames that are taken of each clip.")
    kept: float = Field(default=0.93, gt=0, le=1, description="Share of the faces on which the teacher agrees with itself best.")
    images: int = Field(default=240_000, ge=1, le=LARGEST_COUNT, description="Number of views to train on.")
    batch: int = Field(default=48, ge=1, le=65_536, description="Views per step.")
    precision: Precision = Field(default="bf16-mixed", description="Precision, as Lightning Fabric names it.")
    optimiser: OptimiserSettings = OptimiserSettings(rate=2e-3, betas=(0.9, 0.99), warmup=200, decay_from=0.3)
    average: float = Field(default=0.998, ge=0, lt=1, description="Decay of the EMA of the weights.")
    spread: float = Field(default=1.0, gt=0, le=16, description="Deviation in pixels of the Gaussians that heatmaps should be.")
    checkpoint_minutes: float = Field(default=2.0, gt=0, le=10, description="Minutes between two checkpoints.")
    validate_images: int = Field(default=48_000, ge=1, le=LARGEST_COUNT, description="Views between two validations.")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a configuration.

        Args:
            path: A YAML file, or the name of a shipped one ("landmarks").

        Raises:
            OptionError: The file cannot be read, or a key or value is not valid.
        """
        return cls.validated(read_config(path, LANDMARKS), path)

    @property
    def steps(self) -> int:
        """Number of steps in all."""
        return -(-self.images // self.batch)

    def validates_after(self, step: int) -> bool:
        """Return whether a validation is due after the step of this number, from 0."""
        before, after = step * self.batch // self.validate_images, (step + 1) * self.batch // self.validate_images
        return after > before or step + 1 == self.steps
