"""EvaluationOptions: the settings of an evaluation."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from streamdeblur.evaluation.protocols import SCHEMES, AcceptsProtocols, BlurProtocol
from streamdeblur.setting_types import LARGEST_COUNT, LARGEST_SEED
from streamdeblur.settings import UserSettings
from streamdeblur.training.blur.scheme import BlurScheme


class EvaluationOptions(UserSettings):
    """Settings of an evaluation. The same settings give the same blurry faces."""

    protocols: tuple[Annotated[BlurProtocol, AcceptsProtocols()], ...] = Field(
        default=(BlurProtocol(BlurScheme("pravg", 11)),),
        min_length=1,
        description=(
            f"{', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}; with runs: before it for runs of exposures, with sliding: for "
            "averages that overlap."
        ),
    )
    methods: tuple[str, ...] = Field(
        default=("blurred", "ours", "oracle"), min_length=1, description="Names of methods; --list shows all."
    )
    limit: int = Field(default=100, ge=0, le=LARGEST_COUNT, description="Faces, or runs, of a protocol at most; 0 takes all.")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="Seed of the blur and of the choice of faces.")
    response: str = Field(
        default="identity",
        description="Camera response, from linear intensity to code values: identity, srgb, gamma:EXPONENT or fitted:FILE.",
    )
    noise: float = Field(
        default=0.0, ge=0, le=64, description="Standard deviation in code values of the noise that is added to blurry faces."
    )
    visible_blur: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="Leave out faces whose blurry picture has a PSNR above this (dB): they show hardly any blur.",
    )
    stride: int = Field(
        default=1,
        ge=1,
        le=LARGEST_COUNT,
        description="Fewest frames from one face of a clip to the next; of averages and synthetic blur, fewest that differ: with "
        "the length of PrAvg, its windows do not overlap.",
    )
    landmark_detector: str = Field(
        default="dlib", description="Landmark detector: dlib, heatmap[:FILE], mesh[:FILE], insightface[:FILE] or none."
    )
    second_detector: str = Field(
        default="auto",
        description="Second landmark detector: the same names, or auto: heatmap, which is shipped (dlib if that is the first).",
    )
    embedder: str = Field(default="dlib", description="Identity embedding: dlib, arcface[:FILE] or none.")
    runs: int = Field(
        default=4,
        ge=0,
        le=LARGEST_COUNT,
        description="Clips of which consecutive frames are restored to measure temporal stability (pravg and vla).",
    )
    workers: int = Field(default=1, ge=1, le=1024, description="Processes that measure faces and run the slow methods.")

    @field_validator("protocols")
    @classmethod
    def _distinct_protocols(cls, value: tuple[BlurProtocol, ...]) -> tuple[BlurProtocol, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("methods")
    @classmethod
    def _distinct_methods(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _refuse_stride_of_runs(self) -> Self:
        for protocol in self.protocols:
            if protocol.frames and self.stride > 1:
                raise ValueError(f"--stride is for protocols of single faces: leave it out, or {protocol}")
        return self
