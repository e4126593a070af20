"""The configuration of a training: one YAML file, one validated object. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from streamdeblur.config_files import read_config
from streamdeblur.configs import TRAINING
from streamdeblur.errors import OptionError
from streamdeblur.faces.window import CROP_SIZE
from streamdeblur.known_names import shown
from streamdeblur.setting_types import LARGEST_COUNT, LARGEST_SEED
from streamdeblur.settings import Settings
from streamdeblur.training.datasets.pair_sources import Direction
from streamdeblur.training.datasets.recipe import Recipe
from streamdeblur.training.networks.compared.presets import ComparedPreset
from streamdeblur.training.networks.presets import NetworkPreset

MOST_FILES = 16
"""Most files that one configuration is read from, so that one that names itself ends."""

GOLDEN_RATIO = 0.6180339887498949
"""Multiples of it, modulo 1, are spread evenly, however many there are."""

Decay = Annotated[float, Field(ge=0, lt=1)]
LossWeight = Annotated[float, Field(ge=0, le=1e9)]
CropSide = Annotated[int, Field(ge=64, le=256, multiple_of=16)]
Share = Annotated[float, Field(gt=0, le=1e9)]
Precision = Literal["32-true", "bf16-mixed"]
"""Not 16-mixed: its scale of the losses would change between two optimisers of a step, before gradients are clipped, and with
each resumption."""


class OptimiserSettings(Settings):
    """Which optimiser, and its rates."""

    kind: Literal["muon", "adam"] = Field(
        default="adam", description="Muon on hidden convolutions and AdamW on the rest; or Adam."
    )
    rate: float = Field(default=2e-4, gt=0, le=1e18, description="Rate of Adam.")
    muon_rate: float = Field(default=0.02, gt=0, le=1e18, description="Rate of Muon.")
    betas: tuple[Decay, Decay] = Field(default=(0.5, 0.999), description="Adam's decays of the mean and of the square.")
    warmup: int = Field(default=30, ge=0, le=LARGEST_COUNT, description="Steps over which the rate rises.")
    decay_from: float = Field(
        default=1.0, ge=0, le=1, description="Fraction of the run after which the rate falls linearly to zero."
    )
    clip: float = Field(default=0.0, ge=0, le=1e18, description="Largest norm of the gradients; 0 does not limit it.")


class StepSettings(Settings):
    """How one of the two networks is trained. Durations are numbers of images, whatever the batch size and the machine."""

    images: int = Field(default=1_000_000, ge=1, le=LARGEST_COUNT, description="Number of images to train on.")
    batch: int = Field(default=32, ge=1, le=65_536, description="Images per step, over all processes.")
    crop: int = Field(default=256, ge=64, le=256, multiple_of=16, description="Side in pixels of the squares to train on.")
    whole_from: float = Field(
        default=1.0, ge=0, le=1, description="Fraction of the run after which whole crops are trained on, not squares of them."
    )
    face_crops: dict[CropSide, Share] = Field(
        default={256: 1.0},
        min_length=1,
        description="Sides in pixels of the crops of whole faces, with the share of the batches of each. Squares are parts of "
        "them, and the extents of blur, which are those of 256 px, shrink with them.",
    )
    precision: Precision = Field(default="bf16-mixed", description="Precision, as Lightning Fabric names it.")
    optimiser: OptimiserSettings = OptimiserSettings()
    average: float = Field(default=0.998, ge=0, lt=1, description="Decay of the EMA of the weights.")
    statistics_until: float = Field(
        default=1.0, ge=0, le=1, description="Fraction of the run after which batch normalisation keeps its running statistics."
    )
    severity_from: float = Field(default=0.0, ge=0, le=1, description="Severity of blur and degradations at the beginning.")
    severity_until: float = Field(default=0.5, ge=0, le=1, description="Fraction of the run after which the severity is 1.")
    checkpoint_minutes: float = Field(default=5.0, gt=0, le=10, description="Minutes between two checkpoints.")
    validate_images: int = Field(default=40_000, ge=1, le=LARGEST_COUNT, description="Images between two validations.")
    validate_pairs: int = Field(default=96, ge=1, le=65_536, description="Pairs of a validation.")
    pairs: Direction = Field(default="all", description="Which ready-made pairs (--pairs) to use: all, or forward ones only.")
    norm: Literal["mean", "sum"] = Field(
        default="mean", description="l1 norms of the losses: means over all values, or sums over those of an image."
    )
    recipe: Recipe | None = Field(default=None, description="Recipe of this step, if it differs from that of the training.")

    @property
    def steps(self) -> int:
        """Number of steps in all."""
        return -(-self.images // self.batch)

    def severity(self, step: int) -> float:
        """Return the severity in [0, 1] of the pairs of a step: rises linearly, then stays at 1."""
        until = self.severity_until * self.steps
        progress = min(1.0, step / until) if until else 1.0
        return self.severity_from + (1.0 - self.severity_from) * progress

    def part(self, step: int) -> int:
        """Return the largest side in pixels of the squares of a step."""
        return self.crop if step < self.whole_from * self.steps else CROP_SIZE

    def keeps_statistics(self, step: int) -> bool:
        """Return whether batch normalisation uses its running statistics in a step, as predictions do, and keeps them."""
        return step >= self.statistics_until * self.steps

    def face_crop(self, step: int) -> int:
        """Return the side in pixels of the crops of whole faces of a step; the shares hold for any run of steps."""
        bounds = np.cumsum(list(self.face_crops.values()))
        place = step * GOLDEN_RATIO % 1.0 * bounds[-1]
        return list(self.face_crops)[int(np.searchsorted(bounds, place, side="right"))]


class HourglassSettings(StepSettings):
    """Step 1."""

    loss: Literal["l1", "relative_charbonnier"] = Field(default="l1", description="Eq. 2, or its form for mixed inputs.")


class LossWeights(Settings):
    """Weights of the loss terms (eqs. 4 and 7)."""

    adversarial: LossWeight = Field(default=1.0, description="Eq. 3.")
    content: LossWeight = Field(default=100.0, description="lambda_ci of eq. 4.")
    gradient: LossWeight = Field(default=100.0, description="lambda_cg of eq. 4.")
    projection: LossWeight = Field(default=8.0, description="lambda_p of eq. 7.")
    reconstruction: LossWeight = Field(default=100.0, description="lambda_r of eq. 7.")
    kernel: LossWeight = Field(default=0.5, description="Loss of the kernel of the deconvolution, where the true one is known.")
    deconvolved: LossWeight = Field(default=1.0, description="Loss of the deconvolved image.")
    confidence: LossWeight = Field(default=0.5, description="Loss of the images as far as they are trusted.")
    identity: LossWeight = Field(default=0.0, description="Loss of face recognition features (Sec. 5.3); 0 disables it.")
    teacher: LossWeight = Field(default=0.0, description="First term of eq. 4, to what a teacher restores; 0 disables it.")

    @property
    def needs_discriminator(self) -> bool:
        """Whether a term depends on the discriminator."""
        return bool(self.adversarial or self.projection)


class CganSettings(StepSettings):
    """Step 2."""

    generator: Literal["two_path", "hourglass"] = Field(
        default="two_path", description="What is trained against the discriminator; 'hourglass' is the paper's HG-disc."
    )
    content_loss: Literal["l1", "relative_charbonnier"] = Field(default="l1", description="First term of eq. 4.")
    adversarial: Literal["non-saturating", "saturating"] = Field(
        default="non-saturating", description="Eq. 3 for the generator: -log D, or log(1 - D) as it is written."
    )
    weights: LossWeights = LossWeights()
    discriminator_optimiser: OptimiserSettings = OptimiserSettings()


class ComparedSettings(StepSettings):
    """One of the learned methods that the paper compares with, which are trained in one step."""

    method: ComparedPreset
    discriminator_optimiser: OptimiserSettings = OptimiserSettings()

    @property
    def unpaired(self) -> bool:
        """Whether the sharp images are of other faces than the blurry ones."""
        return self.method.kind == "zhu"


class TrainingConfig(Settings):
    """Settings of a training: shapes of the networks, data, both steps."""

    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="Seed of all random numbers.")
    network: NetworkPreset = NetworkPreset()
    recipe: Recipe = Recipe()
    hourglass: HourglassSettings = HourglassSettings()
    cgan: CganSettings = CganSettings()
    compared: ComparedSettings | None = Field(default=None, description="A compared method, instead of the two steps.")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a configuration.

        Args:
            path: A YAML file, or the name of a shipped one ("lite", "paper", "ablations/final"). A file with the key ``base``
                holds only what differs from the configuration that ``base`` names; of several, each changes those before it.

        Raises:
            OptionError: The file cannot be read, or a key or value is not valid.
        """
        return cls.validated(read_training_config(path), path)

    @property
    def takes_step_1(self) -> Literal["--hourglass", "--init"] | None:
        """The option by which step 2 gets the hourglass of step 1; None where it has none."""
        if self.cgan.generator == "hourglass":
            return "--init"
        return "--hourglass" if self.network.generator.needs_hourglass else None

    def settings_of_compared(self) -> ComparedSettings:
        """Return the settings of the compared method.

        Raises:
            OptionError: The configuration is one of the two steps.
        """
        if self.compared is None:
            raise OptionError("This configuration has no compared method; compared/nah and its neighbours have one.")
        return self.compared

    def recipe_of(self, step: StepSettings) -> Recipe:
        """Return the recipe of the pairs that a step is trained on."""
        return step.recipe or self.recipe


def read_training_config(path: Path) -> dict[str, Any]:
    """Return the content of a file, merged into the configurations that its key ``base`` names, each into those before it.

    Args:
        path: A YAML file, or the name of a shipped one.

    Raises:
        OptionError: A file cannot be read, or names a base that is none; or there are more than `MOST_FILES`.
    """
    return _with_bases(path, count(1))


def _with_bases(path: Path, numbers: Iterator[int]) -> dict[str, Any]:
    """Read a file and its bases, each of which takes a number."""
    if next(numbers) > MOST_FILES:
        raise OptionError(f"In {path}: base: more than {MOST_FILES} files build on each other.")
    content = read_config(path, TRAINING)
    base = content.pop("base", [])
    bases = base if isinstance(base, list) else [base]
    for name in bases:
        if not isinstance(name, str):
            raise OptionError(f"In {path}: base: must be the name of a configuration, or a list of names (got {shown(name)}).")
    return reduce(_merged, [*(_with_bases(Path(name), numbers) for name in bases), content])


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with its values replaced by those of `changes`, level by level."""
    both = [key for key in base.keys() & changes.keys() if isinstance(base[key], dict) and isinstance(changes[key], dict)]
    return {**base, **changes, **{key: _merged(base[key], changes[key]) for key in both}}
