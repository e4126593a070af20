"""streamdeblur removes motion blur from the faces in video: live, in batch, and inside other pipelines."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamdeblur.deblurrer import FaceDeblurrer, FaceLimits
    from streamdeblur.errors import StreamDeblurError
    from streamdeblur.faces.decision import FaceDecision
    from streamdeblur.faces.face import Face
    from streamdeblur.faces.tracked_face import TrackedFace
    from streamdeblur.frames import StreamItem
    from streamdeblur.jobs.image import ImageSummary, deblur_image
    from streamdeblur.jobs.preview import PreviewSummary, preview_video
    from streamdeblur.jobs.video import Progress, VideoSummary, deblur_video
    from streamdeblur.options import EncodingOptions, RestorationOptions, StreamOptions, VideoOptions
    from streamdeblur.statistics import RestorationStatistics

__version__ = "0.1.0"

# ONNX Runtime 1.32 and later records a device id and events, and sends them to its maker, unless this is set before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "EncodingOptions",
    "Face",
    "FaceDeblurrer",
    "FaceDecision",
    "FaceLimits",
    "ImageSummary",
    "PreviewSummary",
    "Progress",
    "RestorationOptions",
    "RestorationStatistics",
    "StreamDeblurError",
    "StreamItem",
    "StreamOptions",
    "TrackedFace",
    "VideoOptions",
    "VideoSummary",
    "deblur_image",
    "deblur_video",
    "preview_video",
]

_MODULES = {
    "EncodingOptions": "options",
    "Face": "faces.face",
    "FaceDeblurrer": "deblurrer",
    "FaceDecision": "faces.decision",
    "FaceLimits": "deblurrer",
    "ImageSummary": "jobs.image",
    "PreviewSummary": "jobs.preview",
    "Progress": "jobs.video",
    "RestorationOptions": "options",
    "RestorationStatistics": "statistics",
    "StreamDeblurError": "errors",
    "StreamItem": "frames",
    "StreamOptions": "options",
    "TrackedFace": "faces.tracked_face",
    "VideoOptions": "options",
    "VideoSummary": "jobs.video",
    "deblur_image": "jobs.image",
    "deblur_video": "jobs.video",
    "preview_video": "jobs.preview",
}
"""Module of each public name. Names are imported when they are first used, so that `import streamdeblur` costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'streamdeblur' has no attribute '{name}'")
    return getattr(import_module(f"streamdeblur.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
