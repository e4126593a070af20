"""Frames that a decoder with several threads loses at the end of a damaged file are decoded again by one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

LEAST_PACKETS, MOST_PACKETS, MOST_BYTES = 24, 600, 64 << 20
"""Packets that are kept: more than threads and reordering hold back; where key frames are farther apart than the limits, none."""


class Tail:
    """The last packets of a video stream, from a key frame on, and which of their frames came out.

    Each thread of a decoder works on another frame. If one fails while they are emptied, what the others have is dropped, by
    FFmpeg or by PyAV.
    """

    def __init__(self, stream: av.VideoStream, options: dict[str, str]) -> None:
        """`options`: those of the decoder."""
        self._context, self._options = stream.codec_context, options
        self._packets: list[av.Packet[av.stream.Stream]] = []
        self._bytes = 0
        self._stamps: set[int | None] = set()

    def note(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Keep a packet, and forget those that a later key frame makes needless."""
        if not self._packets and not packet.is_keyframe:
            return
        self._packets.append(packet)
        self._bytes += packet.size
        if packet.is_keyframe:
            keys = [n for n, one in enumerate(self._packets[:-LEAST_PACKETS]) if one.is_keyframe]
            self._forget(keys[-1] if keys else 0)
        if len(self._packets) > MOST_PACKETS or self._bytes > MOST_BYTES:
            self._forget(len(self._packets))

    def _forget(self, count: int) -> None:
        """Forget the first packets."""
        self._bytes -= sum(packet.size for packet in self._packets[:count])
        del self._packets[:count]

    def came_out(self, frames: list[av.VideoFrame]) -> None:
        """Note frames that were decoded."""
        self._stamps |= {frame.pts for frame in frames}
        if len(self._stamps) > 4 * MOST_PACKETS:
            self._stamps &= {packet.pts for packet in self._packets}

    def lost(self) -> list[av.VideoFrame]:
        """Return the frames of the end that did not come out, in order; those without a time stamp cannot be told."""
        stamps = [packet.pts for packet in self._packets]
        missing = {stamp for stamp in stamps if stamp is not None} - self._stamps
        known = [stamp for stamp in self._stamps if stamp is not None]
        if None in stamps or not missing or (known and max(missing) < max(known)):
            return []
        last = max(known) if known else min(missing) - 1
        again = [frame for frame in self._decoded_again() if frame.pts is not None and frame.pts > last and frame.pts in missing]
        return sorted(again, key=lambda frame: frame.pts or 0)

    def _decoded_again(self) -> Iterator[av.VideoFrame]:
        import av

        known = self._context
        context = av.CodecContext.create(known.codec.name, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.extradata, context.options, context.thread_count = known.extradata, self._options, 1
        # what the container says of the picture, and the frames may not
        context.colorspace, context.color_range = known.colorspace, known.color_range
        context.color_primaries, context.color_trc = known.color_primaries, known.color_trc
        for packet in [*self._packets, None]:
            # those that are damaged have been counted
            with suppress(av.FFmpegError, OSError):
                yield from context.decode(packet)
