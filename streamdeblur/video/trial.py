"""Whether a container keeps a stream is tried on a small file in memory, which is written to its end and read back."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from streamdeblur.video.log import ffmpeg_errors, words
from streamdeblur.video.muxer import Muxer

if TYPE_CHECKING:
    import av

    Packet: TypeAlias = av.Packet[av.stream.Stream]
    Add: TypeAlias = Callable[[av.container.OutputContainer], av.stream.Stream]
    """Adds a stream to a container."""
    Fill: TypeAlias = Callable[[av.stream.Stream], Iterable[Packet]]
    """Makes the first packets of a stream."""
    Recognise: TypeAlias = Callable[[av.stream.Stream], bool]
    """Tells whether a stream that was read back is the one that was written."""

RENEWED_AFTER = 5000
"""Packets after which a `Rehearsal` begins again, since some muxers remember each packet."""


class StreamRefusedError(Exception):
    """A container does not keep a stream; the message says why."""


def try_stream(container: av.container.OutputContainer, add: Add, fill: Fill, recognise: Recognise) -> None:
    """Write a stream to a file in memory of the kind of `container`: header, first packets and trailer; and read it back.

    Args:
        container: The container that would get the stream.
        add: Adds the stream.
        fill: Makes its first packets; none, if none are known.
        recognise: Tells whether a stream of the file is the one that was written.

    Raises:
        StreamRefusedError: It cannot be written, or cannot be found in the file.
    """
    import av

    file, packets = io.BytesIO(), 0
    lines: list[str] = []
    try:
        with (
            ffmpeg_errors() as lines,
            av.open(file, "w", format=container.format.name, options=dict(container.options)) as trial,
        ):
            stream = add(trial)
            for packet in fill(stream):
                trial.mux_one(packet)
                packets += 1
            trial.start_encoding()
    except (av.FFmpegError, ValueError, TypeError, NotImplementedError) as error:
        raise StreamRefusedError(lines[-1] if lines else words(error)) from None
    if packets and not _reads_back(file, recognise):
        raise StreamRefusedError(f"it would not be recognised in {container.format.name} files")


def _reads_back(file: io.BytesIO, recognise: Recognise) -> bool:
    import av

    file.seek(0)
    try:
        with av.open(file, metadata_errors="replace") as written:
            return any(recognise(stream) for stream in written.streams)
    except (av.FFmpegError, ValueError):
        return False


def add_video(container: av.container.OutputContainer, codec: str) -> av.stream.Stream:
    """Add a video stream of this codec without an encoder."""
    return container.add_mux_stream(codec, width=64, height=64)


def placeholder(stream: av.stream.Stream) -> list[Packet]:
    """Return one packet without content, which muxers take for a picture, those of H.264 and the like as well."""
    import av

    packet: Packet = av.Packet(b"\0\0\0\1" + bytes(60))
    packet.pts = packet.dts = 0
    packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
    return [packet]


def codec_name(stream: av.stream.Stream) -> str:
    """Return FFmpeg's name of a stream's codec; 'unknown' where it has none."""
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or "unknown"


class Rehearsal:
    """A container of one stream that takes each packet first and keeps none, so that an error belongs to that stream.

    The muxer of a file with many streams returns errors late, and for a packet of any stream.
    """

    def __init__(self, container: av.container.OutputContainer, add: Add) -> None:
        """Open the container.

        Args:
            container: The file whose kind and options are rehearsed.
            add: Adds the stream.
        """
        self._kind, self._options, self._add = container.format.name, dict(container.options), add
        self._open()

    def _open(self) -> None:
        import av

        trial = av.open(Discarded(), "w", format=self._kind, options=self._options)
        self._stream = self._add(trial)
        self._muxer = Muxer(trial)
        self._count = 0

    def take(self, packet: Packet) -> None:
        """Write a packet, which is used up. Raises av.FFmpegError if the muxer refuses it."""
        packet.stream = self._stream
        self._muxer.offer(packet)
        self._count += 1
        if self._count >= RENEWED_AFTER:
            self.close()
            self._open()

    def close(self) -> None:
        """Close the container."""
        import av

        # it has no result that its end could spoil
        with suppress(av.FFmpegError, ValueError):
            self._muxer.finish()


class Discarded(io.RawIOBase):
    """A file that forgets what is written, and remembers its size and position."""

    def __init__(self) -> None:
        self._position = self._size = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # PyAV writes bytes alone
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position
