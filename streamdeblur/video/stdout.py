"""StdoutWriter: a video that is encoded to stdout, in a container that can be streamed."""

from __future__ import annotations

import sys
from pathlib import Path

from streamdeblur.options import Container, EncodingOptions, StreamOptions
from streamdeblur.partial_file import Partial
from streamdeblur.video.metadata import time_scales
from streamdeblur.video.reader import Reader
from streamdeblur.video.stdin import descriptor_of, redirected
from streamdeblur.video.writer import Writer

FORMATS = {"y4m": "yuv4mpegpipe"}
"""FFmpeg's names of containers that have another one here."""
IN_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof+delay_moov"}
"""Options of the muxers of MP4 and MOV in place of an index at the end, which a pipe cannot go back for."""
DEEP = {"strict": "-1"}
"""Option of the muxer of YUV4MPEG2 for more than 8 bits, which its first definition lacks."""


class _Stdout(Partial):
    """stdout in place of a file that gets its name when it is complete."""

    def __init__(self) -> None:
        self.target, self.path = Path("stdout"), Path(f"pipe:{descriptor_of(sys.stdout)}")

    def complete(self) -> None:
        """Do nothing: all was written."""

    def discard(self) -> None:
        """Do nothing: what was written cannot be taken back."""


class StdoutWriter(Writer):
    """Writes one video to stdout."""

    def __init__(
        self,
        container: Container,
        reader: Reader,
        encoding: EncodingOptions,
        streams: StreamOptions,
        *,
        side_by_side: bool = False,
        threads: int | None = None,
    ) -> None:
        """As `Writer`, with the kind of container in place of a target.

        Raises:
            OptionError: The encoder, quality or preset cannot be used.
            InputError: This process has no stdout.
            OutputError: stdout is a terminal.
        """
        redirected(sys.stdout, "Name a file, or send the video on: streamdeblur video in.mp4 - | mpv -.")
        self._container: Container = container
        super().__init__(Path("stdout"), reader, encoding, streams, side_by_side=side_by_side, threads=threads)

    def _partial_file(self) -> Partial:
        return _Stdout()

    def _kind(self) -> str:
        return FORMATS.get(self._container, self._container)

    def _options(self) -> dict[str, str]:
        if self._container in ("mp4", "mov"):
            return time_scales(self.reader) | IN_FRAGMENTS
        return DEEP if self._container == "y4m" else {}
