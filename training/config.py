"""The configuration of a training: one YAML file, one validated object."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from streamdeblur.options import Settings, read_config
from streamdeblur.training.datasets.recipe import Recipe
from streamdeblur.training.datasets.sources import Direction
from streamdeblur.training.networks.deblurring import Preset
from streamdeblur.training.optimisers import OptimiserSettings


class StepSettings(Settings):
    """How one of the two networks is trained. Counted in images seen, whatever the batch size and the machine."""

    images: int = Field(default=1_000_000, ge=1, description="Images to train on in all.")
    batch: int = Field(default=32, ge=1, description="Images per step, over all processes.")
    crop: int = Field(
        default=256, ge=64, le=256, multiple_of=16, description="Side in pixels of the squares that are trained on."
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        default="bf16-mixed", description="As Lightning Fabric names them."
    )
    optimiser: OptimiserSettings = OptimiserSettings()
    average: float = Field(default=0.998, ge=0, lt=1, description="Decay of the running average of the weights.")
    severity_from: float = Field(default=0.0, ge=0, le=1, description="Severity of blur and degradations at the beginning.")
    severity_until: float = Field(default=0.5, ge=0, le=1, description="Share of the run after which severity is 1.")
    checkpoint_minutes: float = Field(default=5.0, gt=0, le=10, description="Minutes between two checkpoints.")
    validate_images: int = Field(default=40_000, ge=1, description="Images between two validations.")
    validate_pairs: int = Field(default=96, ge=1, description="Pairs of a validation.")
    pairs: Direction = Field(default="all", description="Of ready-made pairs: all, or forward ones only.")
    recipe: Recipe | None = Field(default=None, description="Pairs of this step, where they differ from the other's.")

    @property
    def steps(self) -> int:
        """Steps in all."""
        return -(-self.images // self.batch)

    def severity(self, step: int) -> float:
        """Severity of the pairs of a step: rises linearly, then stays at 1."""
        until = self.severity_until * self.steps
        share = min(1.0, step / until) if until else 1.0
        return self.severity_from + (1.0 - self.severity_from) * share


class HourglassSettings(StepSettings):
    """Step 1."""

    loss: Literal["l1", "relative_charbonnier"] = Field(default="l1", description="Eq. 2, or its form for mixed inputs.")


class Weights(Settings):
    """Weights of the terms of eqs. 4 and 7."""

    adversarial: float = Field(default=1.0, ge=0, description="Eq. 3.")
    content: float = Field(default=100.0, ge=0, description="lambda_ci of eq. 4.")
    gradient: float = Field(default=100.0, ge=0, description="lambda_cg of eq. 4.")
    projection: float = Field(default=8.0, ge=0, description="lambda_p of eq. 7.")
    reconstruction: float = Field(default=100.0, ge=0, description="lambda_r of eq. 7.")
    kernel: float = Field(default=0.5, ge=0, description="Of the deconvolution's kernel, where the true one is known.")
    deconvolved: float = Field(default=1.0, ge=0, description="Of the image that the deconvolution gives.")
    identity: float = Field(default=0.0, ge=0, description="Of the features of a network of faces (Sec. 5.3); 0 does without.")


class CganSettings(StepSettings):
    """Step 2."""

    generator: Literal["two_path", "hourglass"] = Field(
        default="two_path", description="What is trained against the discriminator; 'hourglass' is the paper's HG-disc."
    )
    content_loss: Literal["l1", "relative_charbonnier"] = Field(default="l1", description="First term of eq. 4.")
    weights: Weights = Weights()
    discriminator_optimiser: OptimiserSettings = OptimiserSettings()


class TrainingConfig(Settings):
    """All of a training: shapes, data, both steps."""

    seed: int = 0
    network: Preset = Preset()
    recipe: Recipe = Recipe()
    hourglass: HourglassSettings = HourglassSettings()
    cgan: CganSettings = CganSettings()

    @classmethod
    def load(cls, path: Path) -> Self:
        """The configuration in a YAML file, or the shipped one of that name ('lite', 'paper', 'ablations/final').

        A file that says ``base: NAME`` holds what differs from another.

        Raises:
            OptionError: the file cannot be read, or a key or value is not valid.
        """
        return cls.validated(_with_base(read_config(path)), path)

    def recipe_of(self, step: StepSettings) -> Recipe:
        """The pairs that a step is trained on."""
        return step.recipe or self.recipe


def _with_base(content: dict[str, Any]) -> dict[str, Any]:
    base = content.pop("base", None)
    return content if base is None else _merged(_with_base(read_config(Path(str(base)))), content)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with its values replaced by those of `changes`, level by level."""
    both = [key for key in base.keys() & changes.keys() if isinstance(base[key], dict) and isinstance(changes[key], dict)]
    return {**base, **changes, **{key: _merged(base[key], changes[key]) for key in both}}
