"""LiveOptions: what a live stream comes from, where it goes, and how long a frame may take."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from streamdeblur.options import OVERWRITE, ComposedSettings, EncodingOptions, RestorationOptions

Size = tuple[int, int]


class LiveOptions(ComposedSettings):
    """What a live stream needs: where it comes from and goes, and how long a frame may take."""

    restoration: RestorationOptions = RestorationOptions()
    encoding: EncodingOptions = EncodingOptions()
    overwrite: bool = OVERWRITE
    camera: str | None = Field(default=None, description="Camera to read: its number or name.")
    source: str | None = Field(
        default=None,
        description="Read this instead of a camera: a file, the address of a stream, 'pattern', or '-' for raw frames.",
    )
    realtime: bool = Field(default=False, description="Play a file at its own speed; otherwise no frame of it is dropped.")
    loop: bool = Field(default=False, description="Play a file again when it ends.")
    size: str | None = Field(default=None, description="Width and height asked of the camera, or of raw frames: 1280x720.")
    fps: float | None = Field(default=None, gt=0, le=480, description="Frames per second asked of the camera, or of raw frames.")
    format: str | None = Field(default=None, description="Pixel format asked of the camera (such as mjpeg), or of raw frames.")
    to: tuple[str, ...] = Field(
        default=("preview",),
        min_length=1,
        description="Where frames go: preview, camera[:DEVICE] (a virtual one), a file, an address, '-' (raw), null.",
    )
    budget: float | None = Field(
        default=None, gt=0, le=10_000, description="Milliseconds that a frame may take; by default the time between two frames."
    )
    view: Literal["restored", "split"] = Field(
        default="restored", description="What is shown: 'split' keeps the left half as it came."
    )
    overlay: bool = Field(default=True, description="Write latency, frame rate and counts into the preview.")

    @field_validator("size")
    @classmethod
    def _check_size(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
            raise ValueError("it must be two numbers with an x between them, such as 1280x720")
        return value

    @property
    def pixels(self) -> Size | None:
        """Width and height."""
        if self.size is None:
            return None
        width, height = self.size.split("x")
        return int(width), int(height)
