"""Frames as bytes without a container, as in FFmpeg's rawvideo: plane after plane, line after line, without padding."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from streamdeblur.errors import InputError, OptionError
from streamdeblur.video.copying import line_bytes, plane_lines
from streamdeblur.video.layouts import layout_of

if TYPE_CHECKING:
    import av


LARGEST_SIDE = 16384
"""Pixels."""


class RawReader:
    """Reads frames of one size and pixel format from a stream of bytes."""

    def __init__(self, stream: BinaryIO, width: int, height: int, pixel_format: str) -> None:
        """
        Args:
            stream: Where the bytes come from; a pipe may give them in pieces.
            width: In pixels.
            height: In pixels.
            pixel_format: FFmpeg's name.

        Raises:
            OptionError: The size is out of range, or the pixel format is unknown or cannot be edited in place.
        """
        if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
            raise OptionError(f"Raw frames cannot be {width}x{height}: a side has 1 to {LARGEST_SIDE} pixels.")
        if layout_of(pixel_format) is None:
            raise OptionError(
                f"Raw frames cannot be of the pixel format '{pixel_format}'. Use yuv420p, nv12, yuyv422, rgb24 or bgr24."
            )
        self._stream, self._shape, self._format = stream, (width, height), pixel_format
        self.frames = 0
        """Number of frames read so far."""

    def read(self) -> av.VideoFrame | None:
        """Return the next frame; None at the end of the stream.

        Raises:
            InputError: The stream ends within a frame, most likely because the size or pixel format is wrong.
        """
        import av

        frame = av.VideoFrame(*self._shape, self._format)
        for index, plane in enumerate(frame.planes):
            size = line_bytes(frame, index)
            data = _whole(self._stream, size * plane.height)
            if not data and index == 0:
                return None
            if len(data) < size * plane.height:
                expected = f"{self._shape[0]}x{self._shape[1]} of the pixel format {self._format}"
                raise InputError(f"The raw frames end within frame {self.frames + 1}. Are they {expected}?")
            plane_lines(plane)[: plane.height, :size] = np.frombuffer(data, np.uint8).reshape(plane.height, size)
        self.frames += 1
        return frame


def _whole(stream: BinaryIO, size: int) -> bytearray:
    """The next `size` bytes, or those that are left; a pipe gives them in pieces."""
    data = bytearray()
    while len(data) < size and (piece := stream.read(size - len(data))):
        data += piece
    return data


def open_stdin() -> BinaryIO:
    """Open stdin without Python's buffer, whose lock aborts a program that exits while a thread waits for input."""
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def write_raw(stream: BinaryIO, frame: av.VideoFrame) -> None:
    """Write a frame."""
    for index, plane in enumerate(frame.planes):
        lines = plane_lines(plane)[: plane.height, : line_bytes(frame, index)]
        stream.write(np.ascontiguousarray(lines).data)


def discard_stdout() -> None:
    """Discard what Python still writes to stdout, after the program that reads it has ended, as `head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
