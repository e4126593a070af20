"""streamdeblur removes motion blur from the faces in video: live, in batch, and inside other pipelines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamdeblur.deblurrer import FaceDeblurrer, Statistics
    from streamdeblur.errors import StreamDeblurError
    from streamdeblur.faces.face import Face
    from streamdeblur.jobs.video import Progress, Summary, deblur_video
    from streamdeblur.options import EncodingOptions, RestorationOptions, VideoOptions

__version__ = "0.1.0"

# Imported on first use, so that `import streamdeblur` costs nothing.
_HOMES = {
    "EncodingOptions": "options",
    "Face": "faces.face",
    "FaceDeblurrer": "deblurrer",
    "RestorationOptions": "options",
    "VideoOptions": "options",
    "Progress": "jobs.video",
    "Statistics": "deblurrer",
    "StreamDeblurError": "errors",
    "Summary": "jobs.video",
    "deblur_video": "jobs.video",
}

__all__ = [
    "EncodingOptions", "Face", "FaceDeblurrer", "Progress", "RestorationOptions", "Statistics", "StreamDeblurError", "Summary",
    "VideoOptions", "deblur_video",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamdeblur' has no attribute '{name}'")
    return getattr(import_module(f"streamdeblur.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
