"""Settings of the commands that make clips and stills."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from streamdeblur.setting_types import LARGEST_COUNT, LARGEST_SIDE
from streamdeblur.settings import Settings


class FaceOptions(Settings):
    """Which faces are kept, and how they are split."""

    min_face: float = Field(
        default=125.0,
        ge=32.0,
        le=LARGEST_SIDE,
        description="Smallest face in pixels; one of 125 is enlarged by 1.2 for a crop of 256 px.",
    )
    min_sharpness: float = Field(
        default=30.0, ge=0.0, le=1e9, description="Least sharpness: variance of the Laplacian of the face in a crop of 256 px."
    )
    held_out: float = Field(default=0.1, ge=0.0, le=1.0, description="Fraction of the people that go to test/ instead of train/.")
    detector: str = Field(default="centerface", description="centerface, scrfd:FILE.onnx or scrfd:PACK.")

    @property
    def of_parts(self) -> dict[str, Any]:
        """The settings that a part depends on: who is held out is decided when the shards are written."""
        return self.model_dump(exclude={"held_out"})


class ClipsOptions(FaceOptions):
    """Which faces of videos are kept."""

    min_frames: int = Field(
        default=30, ge=3, le=LARGEST_COUNT, description="Shortest run of sequential frames, repeated ones not counted."
    )


class StillsOptions(FaceOptions):
    """Which faces of pictures are kept."""

    cropped: bool = Field(default=False, description="The pictures are square crops of a face already: no faces are detected.")
