"""YUV4MPEG2, the format of pipes between video tools: a header line, then frames, each after a line of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from streamdeblur.errors import InputError, OptionError
from streamdeblur.video.colour import FULL_RANGE
from streamdeblur.video.raw import RawReader, write_raw

if TYPE_CHECKING:
    import av

MAGIC = b"YUV4MPEG2"
LONGEST_LINE = 4096
DEPTHS = (9, 10, 12, 14, 16)
PIXEL_FORMATS = {
    "420": "yuv420p", "420jpeg": "yuv420p", "420mpeg2": "yuv420p", "420paldv": "yuv420p", "411": "yuv411p", "422": "yuv422p",
    "444": "yuv444p", "444alpha": "yuva444p", "mono": "gray",
    **{f"{chroma}p{depth}": f"yuv{chroma}p{depth}le" for chroma in ("420", "422", "444") for depth in DEPTHS},
    **{f"mono{depth}": f"gray{depth}le" for depth in DEPTHS},
}  # fmt: skip
"""FFmpeg's pixel format for each value of the header's field C."""


class Y4MReader:
    """Reads frames, and the lines between them."""

    def __init__(self, stream: BinaryIO) -> None:
        """
        Raises:
            InputError: The stream is not YUV4MPEG2, or its pixel format cannot be edited in place.
        """
        self._stream = stream
        self.header = _line(stream)
        """The first line, without its end."""
        words = self.header.split()
        if not words or words[0] != MAGIC:
            raise InputError("The input is not YUV4MPEG2. Give --size and --format for raw frames.")
        values = {word[:1].decode("ascii", "replace"): word[1:].decode("ascii", "replace") for word in words[1:]}
        colour = values.get("C", "420jpeg")
        sides = [values.get(name, "") for name in "WH"]
        if colour not in PIXEL_FORMATS or not all(re.fullmatch("[0-9]{1,9}", side) for side in sides):
            raise InputError(f"The YUV4MPEG2 header cannot be used: {_shown(self.header)}.")
        self._full_range = b"XCOLORRANGE=FULL" in words
        try:
            self._frames = RawReader(stream, int(sides[0]), int(sides[1]), PIXEL_FORMATS[colour])
        except OptionError as error:
            raise InputError(f"The YUV4MPEG2 header cannot be used. {error}") from None

    def __iter__(self) -> Iterator[tuple[bytes, av.VideoFrame]]:
        """Yield the line before each frame, and the frame.

        Raises:
            InputError: The stream is damaged or cut off.
        """
        while line := _line(self._stream):
            if not line.startswith(b"FRAME"):
                raise InputError(f"The YUV4MPEG2 stream is damaged after frame {self._frames.frames}.")
            frame = self._frames.read()
            if frame is None:
                raise InputError(f"The YUV4MPEG2 stream ends within frame {self._frames.frames + 1}.")
            if self._full_range:
                frame.color_range = FULL_RANGE
            yield line, frame


def _shown(header: bytes) -> str:
    """The beginning of a header for a message, in printable characters."""
    return "".join(character if character.isprintable() else "?" for character in header[:100].decode("ascii", "replace"))


def write_y4m(stream: BinaryIO, line: bytes, frame: av.VideoFrame) -> None:
    """Write a frame after its line."""
    stream.write(line + b"\n")
    write_raw(stream, frame)


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(LONGEST_LINE)
    if line and not line.endswith(b"\n"):
        raise InputError("The input is not YUV4MPEG2, or is cut off. Give --size and --format for raw frames.")
    return line.rstrip(b"\n")
