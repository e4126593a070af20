"""BlurOptions: the settings with which a video is blurred."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from streamdeblur.options import Audio, NoAudio, NoData, NoSubtitles, RangeOptions
from streamdeblur.setting_types import LARGEST_SEED, LARGEST_SIDE
from streamdeblur.training.blur.scheme import Accepts, BlurScheme

SCHEMES = ("vla", "vla:sequential", "pravg:L", "synthetic", "synthetic:markov", "synthetic:handshake")
"""The blur schemes that whole videos can be given."""


class BlurOptions(RangeOptions):
    """Settings of `blur_video`; the defaults are those of the command line."""

    scheme: Annotated[BlurScheme, Accepts(*SCHEMES)] = Field(
        default=BlurScheme("vla"),
        description="vla (grown at both sides), vla:sequential (one frame after the other), pravg:L (L frames, odd), synthetic, "
        "synthetic:markov or synthetic:handshake.",
    )
    response: str = Field(
        default="srgb",
        description="Camera response in which frames are averaged: identity, srgb, gamma:EXPONENT or fitted:FILE.json.",
    )
    camera: float = Field(default=1.0, ge=1, le=255, description="Extent in px of a camera shake added to averages; 1 is none.")
    extents: tuple[float, float] = Field(default=(4.0, 34.0), description="Smallest and largest extent in px of synthetic blur.")
    longest: int = Field(default=21, ge=3, le=255, description="Most frames of a VLA average.")
    every: int = Field(default=1, ge=1, le=1_000_000, description="Frames from one pair to the next.")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="Seed of synthetic blur and camera shake.")
    detector: str = Field(default="centerface", description="Face detector for VLA: centerface, scrfd:FILE.onnx or scrfd:PACK.")
    min_face: float = Field(
        default=48.0, ge=12.0, le=LARGEST_SIDE, description="Size in pixels of the smallest face that is detected."
    )
    codec: str | None = Field(default=None, description="FFmpeg's name of the encoder of a video output.")
    quality: float | None = Field(default=None, ge=0, le=63, description="Constant quality of a video output; lower is better.")
    audio: Audio = None
    no_audio: NoAudio = False
    no_subtitles: NoSubtitles = False
    no_data: NoData = False
    overwrite: bool = Field(default=False, description="Replace outputs that exist.")

    @field_validator("extents")
    @classmethod
    def _check_extents(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 1.0 <= value[0] <= value[1] <= 255.0:
            raise ValueError("extents rise within 1 to 255 px")
        return value

    @property
    def length(self) -> int:
        """Largest number of frames of an average; 1 for synthetic blur."""
        if not self.scheme.averages:
            return 1
        return self.scheme.length or self.longest
