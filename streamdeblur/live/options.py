"""LiveOptions: the settings of a live stream."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamdeblur.configs import LIVE
from streamdeblur.options import EncodingOptions, Overwrite, RestorationOptions, ShowFaces
from streamdeblur.setting_types import Size
from streamdeblur.settings import ComposedSettings

PREVIEW = "preview"
"""The output that is a window."""


class LiveOptions(ComposedSettings):
    """Settings of a live stream: source, sinks, and the time budget of a frame."""

    shipped = LIVE

    restoration: RestorationOptions = RestorationOptions()
    encoding: EncodingOptions = EncodingOptions()
    overwrite: Overwrite = False
    camera: str | None = Field(default=None, description="Number or name of the camera.")
    source: str | None = Field(
        default=None,
        description="Read this instead of a camera: a file, a URL, 'pattern' (a test clip), or '-' (raw frames on stdin).",
    )
    realtime: bool = Field(
        default=False, description="Play a file at its own speed; otherwise as fast as possible, without dropping frames."
    )
    loop: bool = Field(default=False, description="Play a file in a loop.")
    size: Size | None = Field(
        default=None, description="Width and height to request from the camera, or of raw frames, such as 1280x720."
    )
    fps: float | None = Field(
        default=None, gt=0, le=480, description="Frames per second to request from the camera, or of raw frames."
    )
    format: str | None = Field(
        default=None, description="Pixel format to request from the camera (such as mjpeg), or of raw frames."
    )
    to: tuple[str, ...] = Field(
        default=(PREVIEW,),
        min_length=1,
        description="Output: preview, camera[:DEVICE] (a virtual camera), a file, a URL, '-' (raw frames), null.",
    )
    budget: float | None = Field(
        default=None, gt=0, le=10_000, description="Milliseconds that a frame may take; by default 85 % of the frame interval."
    )
    view: Literal["restored", "split"] = Field(
        default="restored", description="'split' leaves the left half of the picture unrestored."
    )
    show_faces: ShowFaces = False
    overlay: bool = Field(default=True, description="Show latency, frame rate and counts in the preview.")
