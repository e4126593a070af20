"""Frames as callers give them: arrays or av.VideoFrames, alone or as the items of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.external import Detections
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.planes import Planes, array_planes, frame_planes, upright_planes

if TYPE_CHECKING:
    import av

Image: TypeAlias = NDArray[np.uint8]
"""uint8 RGB [H, W, 3] or gray [H, W]."""
Frame: TypeAlias = "Image | av.VideoFrame"

Payload = TypeVar("Payload")


@dataclass(frozen=True, eq=False)
class StreamItem(Generic[Payload]):
    """A frame of a stream with what belongs to it."""

    frame: Frame | None
    """The frame to restore in place; None passes the payload on in its place in the stream."""
    faces: Detections | None = None
    """The faces in the frame, from the caller's own tracker; None lets the deblurrer detect them."""
    payload: Payload = None  # type: ignore[assignment]  # callers who give none have no use for its type
    """Anything of the caller's; it comes out beside the frame. None if there is none."""
    restored: bool = True
    """False: the faces are followed and remembered for the sake of the frames beside this one, but left as they are."""
    segment: Literal["prepare", "begin"] | None = None
    """At the frame that begins a segment, faces are followed anew, by what was prepared since an earlier frame: from there on the
    result does not depend on what came before that earlier frame."""

    def __repr__(self) -> str:
        return f"StreamItem(frame={_described(self.frame)}, faces={_described(self.faces)}, payload={_described(self.payload)})"


def _described(value: object) -> str:
    """A short description: of an array its type and shape, not its content."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)


def check_frame(frame: Any) -> None:
    """Refuse what is not a frame that can be edited.

    Raises:
        ValueError: Neither an av.VideoFrame nor an array uint8 [H, W, 3] or [H, W].
        InputError: A pixel format that cannot be edited.
    """
    if isinstance(frame, np.ndarray):
        colour_or_gray = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)
        if frame.dtype != np.uint8 or not colour_or_gray or not frame.size:
            raise ValueError(f"A frame is uint8 RGB [H, W, 3] or gray [H, W] (got {frame.dtype} {list(frame.shape)}).")
    elif hasattr(frame, "planes"):
        frame_planes(frame)
    else:
        raise ValueError(f"A frame is a uint8 array or an av.VideoFrame (got {type(frame).__name__}).")


def planes_of(frame: Frame, *, bgr: bool = False) -> Planes:
    """Return the planes of a frame as arrays; writing to them changes the frame.

    Args:
        frame: A frame that `check_frame` accepts; an array is C-contiguous and writable.
        bgr: Arrays have OpenCV's order of channels.
    """
    return array_planes(frame, bgr=bgr) if isinstance(frame, np.ndarray) else upright_planes(frame)


def copied(frame: Frame) -> Frame:
    """Return a copy with memory of its own."""
    return np.array(frame, order="C") if isinstance(frame, np.ndarray) else copy_frame(frame)


def editable(frame: Frame) -> Frame:
    """Return the frame itself, or a copy of an array that is read-only or has gaps."""
    if isinstance(frame, np.ndarray) and not (frame.flags.c_contiguous and frame.flags.writeable):
        return np.array(frame, order="C")
    return frame


def make_writable(frame: Frame) -> None:
    """Give a frame that the decoder may still predict from a copy of its picture."""
    if not isinstance(frame, np.ndarray):
        frame.make_writable()
