"""Frames as bytes without a container, as in FFmpeg's rawvideo: plane after plane, line after line, without padding."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError, OptionError
from streamdeblur.setting_types import LARGEST_SIDE
from streamdeblur.video.copying import line_bytes, plane_lines
from streamdeblur.video.layouts import layout_of
from streamdeblur.video.source import MAX_PIXELS
from streamdeblur.video.stdin import redirected

if TYPE_CHECKING:
    import av

PIECE = 1 << 20
"""Bytes that are read at once, at most: a frame takes memory as its bytes come, however large a header says it is."""
FRAMES_OUT = "Send the frames to a file or another program: > FILE, or | PROGRAM."
"""What to do where frames are written to stdout, and it is a terminal."""


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
        if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE and width * height <= MAX_PIXELS):
            limits = f"a side has 1 to {LARGEST_SIDE} pixels, and a frame at most {MAX_PIXELS // 1_000_000} million"
            raise OptionError(f"Raw frames cannot be {width}x{height}: {limits}.")
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
        first = self._stream.read(1)
        if not first:
            return None
        try:
            frame = _new_frame(*self._shape, self._format)
            for index, plane in enumerate(frame.planes):
                self._fill(plane_lines(plane)[: plane.height, : line_bytes(frame, index)], first if index == 0 else b"")
        except MemoryError:
            raise InputError(f"There is no memory for raw frames of {self._shape[0]}x{self._shape[1]}.") from None
        self.frames += 1
        return frame

    def _fill(self, lines: NDArray[np.uint8], first: bytes) -> None:
        """Read the lines of a plane, of which `first` has been read."""
        count, size = lines.shape
        step = max(1, PIECE // size)
        for line in range(0, count, step):
            piece = lines[line : line + step]
            data = _whole(self._stream, piece.size, first if line == 0 else b"")
            if len(data) < piece.size:
                expected = f"{self._shape[0]}x{self._shape[1]} of the pixel format {self._format}"
                raise InputError(f"The raw frames end within frame {self.frames + 1}. Are they {expected}?")
            piece[:] = np.frombuffer(data, np.uint8).reshape(piece.shape)


def _new_frame(width: int, height: int, pixel_format: str) -> av.VideoFrame:
    import av

    return av.VideoFrame(width, height, pixel_format)


def _whole(stream: BinaryIO, size: int, first: bytes) -> bytearray:
    """`first` and what follows, `size` bytes in all, or what is left; a pipe gives them in pieces."""
    data = bytearray(first)
    while len(data) < size and (piece := stream.read(size - len(data))):
        data += piece
    return data


def open_stdin() -> BinaryIO:
    """Open stdin without Python's buffer, whose lock aborts a program that exits while a thread waits for input.

    Raises:
        InputError: stdin is a terminal, or this process has none.
    """
    advice = "Send raw frames: ffmpeg -i IN -f rawvideo -pix_fmt yuv420p - | streamdeblur live ..."
    return open(redirected(sys.stdin, advice), "rb", buffering=0, closefd=False)


class Writable(Protocol):
    """What takes the bytes of frames, each piece as a whole."""

    def write(self, data: memoryview, /) -> object:
        """Write a piece."""


class Unbuffered:
    """A descriptor that is written without Python's buffer, whose lock a write that never ends would hold for ever."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: memoryview, /) -> None:
        """Write a piece; OSError if that fails."""
        rest = data.cast("B")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def write_raw(stream: Writable, frame: av.VideoFrame) -> None:
    """Write a frame."""
    for index, plane in enumerate(frame.planes):
        lines = plane_lines(plane)[: plane.height, : line_bytes(frame, index)]
        stream.write(np.ascontiguousarray(lines).data)


def discard_stdout() -> None:
    """Discard what Python still writes to stdout, after the program that reads it has ended, as `head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
