"""Recipe: what the pairs of a training are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from streamdeblur.settings import Settings
from streamdeblur.training.blur.scheme import LONGEST, SPELLINGS, Accepts, BlurScheme, is_odd_length
from streamdeblur.training.blur.sensor import Sensor
from streamdeblur.training.blur.stop_rules import StopRules
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.datasets.pixel_cache import digest_of

Spread = Literal["log-uniform", "uniform"]

Mix = dict[BlurScheme, float]
DEFAULT_MIX: Mix = {
    BlurScheme("synthetic"): 0.5,
    BlurScheme("vla"): 0.03,
    BlurScheme("pravg"): 0.03,
    BlurScheme("vla", camera=True): 0.12,
    BlurScheme("pravg", camera=True): 0.07,
    BlurScheme("sharp"): 0.125,
    BlurScheme("mild"): 0.125,
}
"""Weights of the schemes of stills and clips; `sharp` pairs have no degradations either: they are to be left as they are."""

Accepted = Annotated[
    BlurScheme,
    Accepts(*(spelling for spelling in SPELLINGS if spelling != "as-is")),
]


def _completed(mix: Mix) -> Mix:
    return {**DEFAULT_MIX, **mix}


class SequenceSettings(Settings):
    """What precedes the exposure that is restored, in trainings of networks with a memory. Frozen; pixels are those of a crop."""

    duty: tuple[float, float] = Field(default=(0.3, 1.0), description="Fraction of a frame interval with an open shutter.")
    moving: float = Field(default=0.7, ge=0, le=1, description="Fraction of the stills whose face moves as one in a clip does.")
    speeds: tuple[float, float] = Field(default=(0.3, 2.5), description="By what these motions are multiplied, log-uniform.")
    stopped: float = Field(default=0.12, ge=0, le=1, description="Fraction of earlier exposures with a camera at rest.")
    lost: float = Field(default=0.15, ge=0, le=1, description="Fraction of sequences that begin, or were cut, in their memory.")
    spread: tuple[float, float, float, float] = Field(
        default=(0.8, 0.7, 0.004, 0.004),
        description="What the tracker leaves from one exposure to the next: standard deviation of x and y in pixels, angle in "
        "radians, logarithm of the scale. Steps add up.",
    )
    spread_factors: tuple[float, float] = Field(
        default=(0.3, 3.0), description="Range of a factor of these steps, which is one for each sequence."
    )
    strong_drift: float = Field(default=0.1, ge=0, le=1, description="Fraction of earlier exposures with a larger difference.")
    strong_spread: tuple[float, float, float, float] = Field(default=(6.0, 6.0, 0.15, 0.1), description="The larger difference.")


class Recipe(Settings):
    """What the pairs of a training are made of. Frozen; extents are in px of the 256 px crop, see `trajectories`."""

    mix: Annotated[dict[Accepted, Annotated[float, Field(ge=0, le=1e9)]], AfterValidator(_completed)] = Field(
        default=DEFAULT_MIX,
        description="Weights of the blur schemes, whose sum does not matter; one that is not named keeps its default.",
    )
    extents: tuple[float, float] = Field(default=(3.0, 34.0), description="Range of the extents of synthetic blur, in px.")
    mild_extents: tuple[float, float] = Field(default=(1.0, 4.0), description="Range of the extents of mild blur, in px.")
    camera_extents: tuple[float, float] = Field(
        default=(3.0, 24.0), description="Range of the extents of a camera's path, in px."
    )
    lengths: tuple[Annotated[int, Field(ge=3, le=LONGEST)], ...] = Field(
        default=(7, 9, 11, 15, 21), min_length=1, description="Lengths of PrAvg: odd numbers of frames."
    )
    rules: StopRules = Field(default=StopRules(), description="When VLA stops.")
    reverse: bool = Field(
        default=False,
        description="Whether VLA reads clips in reverse order, too; windows whose blur nearly equals that of a forward one are "
        "left out.",
    )
    mirrored: bool = Field(default=True, description="Whether left and right are exchanged in half of the pairs.")
    jitter: bool = Field(default=True, description="Whether places of crops, and sizes of stills, vary a little.")
    responses: tuple[str, ...] = Field(
        default=("srgb",),
        min_length=1,
        description="Camera responses: identity, srgb, gamma:EXPONENT or fitted:FILE.json; each pair takes one.",
    )
    sensor: Sensor = Sensor()
    severity: float = Field(default=1.0, ge=0, le=1, description="Scales the degradations; 0 is clean.")
    worst: float = Field(
        default=0.0, ge=0, le=1, description="Fraction of the pairs that are degraded at full severity, like old footage."
    )
    sequences: SequenceSettings = SequenceSettings()
    spread: Spread = Field(default="log-uniform", description="Distribution of extents over their range: log-uniform or uniform.")

    @field_validator("extents", "mild_extents", "camera_extents")
    @classmethod
    def _check_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 1.0 <= value[0] <= value[1] <= SIZE:
            raise ValueError(f"a range of extents rises within [1, {SIZE}] px")
        return value

    @field_validator("lengths")
    @classmethod
    def _check_lengths(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not all(map(is_odd_length, value)):
            raise ValueError("lengths are odd numbers of frames, 3 or more")
        return value


def fitted_responses(recipe: Recipe) -> dict[str, str]:
    """Return the digests of the files of fitted responses, by their names: what pairs depend on besides the settings.

    Raises:
        InputError: One cannot be read.
    """
    return {name: digest_of([Path(name.partition(":")[2])]) for name in recipe.responses if name.startswith("fitted:")}
