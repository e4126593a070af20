"""How long a video is by what its file declares, and whether the file ends before that."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from streamdeblur.video.truncation import missing_bytes

if TYPE_CHECKING:
    import av

EARLY_SECONDS = 0.5
"""A file that ends this long before its declared end counts as cut off."""
CUT_SECONDS = 0.1
"""The same where bytes are missing: less is told in bytes."""
DECLARED = {"avi", "matroska,webm", "flv", "asf", "nut"}
"""Kinds of files whose length is written in them; that of others is estimated from their last packets or their size."""
INDEXED = "mov,mp4,m4a,3gp,3g2,mj2"
"""Kind of files with an index of all packets."""
LEAST_PACKETS = 50
"""Frames from which the frame rate of a file is estimated."""
PACKET_SIZES = (188, 192, 204)
"""Bytes of a packet of a transport stream (ISO/IEC 13818-1), with a time stamp before it (M2TS), with error correction."""


class VideoLength:
    """What a file declares of the length of its video, and what was read of it."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._container, self._stream = container, stream
        self._base = stream.time_base or Fraction(1, 1_000_000)
        self.begin = (stream.start_time or 0) * self._base
        """Time of the first frame, in seconds."""
        self._packets = 0
        self._times = Fraction(0), Fraction(0)
        self._reached = Fraction(0)
        self._incomplete = False

    @property
    def seconds(self) -> float | None:
        """Length of the video; None where the file does not tell."""
        if self._stream.duration:
            return float(self._stream.duration * self._base)
        return self._container.duration / 1_000_000 if self._container.duration else None

    def frames(self, begin: Fraction, end: Fraction | float) -> int | None:
        """Return the number of frames from `begin` to `end`, in seconds; None where the file does not tell."""
        if self._shown:
            return self._counted(begin, end)
        seconds, rate = self.seconds, self._rate()
        whole = self._stream.frames or (round(seconds * rate) if seconds and rate else 0)
        if not whole or not seconds:
            return whole or None
        asked = min(float(end), float(self.begin) + seconds) - float(begin)
        return max(1, round(whole * min(1.0, asked / seconds)))

    def _counted(self, begin: Fraction, end: Fraction | float) -> int:
        """Number of frames of the index in a range; they are in the order of decoding, whose first stamp is the first frame's."""
        first, last = ((time - self.begin) / self._base for time in (begin, end))
        bounds = [bisect_left(self._shown, edge + self._shown[0]) for edge in (first, last)]
        return max(1, bounds[1] - bounds[0])

    def _rate(self) -> Fraction | None:
        """Frames per second: of what was read once that is enough, until then as the file was opened."""
        first, last = self._times
        if self._packets > LEAST_PACKETS and last > first:
            return (self._packets - 1) / (last - first)
        return self._stream.average_rate

    @cached_property
    def _shown(self) -> list[int]:
        """Decoding stamps of the packets that are shown, where the file has an index of all; edit lists are applied to it."""
        if self._container.format.name != INDEXED or not self._stream.frames:
            return []
        return [entry.timestamp for entry in self._stream.index_entries if not entry.is_discard]

    def note(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Remember how far the file was read: each packet of each of its streams is to be noted."""
        if packet.size:
            self._incomplete = packet.is_corrupt
        if packet.size and packet.stream_index == self._stream.index:
            self._packets += 1
            if packet.pts is not None:
                time = packet.pts * self._base
                self._times = (min(self._times[0], time), max(self._times[1], time)) if self._packets > 1 else (time, time)
        if packet.pts is not None and packet.time_base:
            self._reached = max(self._reached, (packet.pts + (packet.duration or 0)) * packet.time_base)

    def early_end(self, frames: int) -> str:
        """Return in words where the file ends, if that is before its end; call it once all packets have been noted.

        Args:
            frames: Number of frames that were decoded.
        """
        kind = self._container.format.name
        lacking = missing_bytes(self._container.name.removeprefix("file:"), kind)
        cut = f"bytes are missing at its end ({lacking}), after {frames} frames" if lacking else ""
        if self._shown:
            missing = self._packets < len(self._stream.index_entries)
            return f"{frames} of {len(self._shown)} frames could be decoded" if missing else cut
        length, reached = (self._container.duration or 0) / 1_000_000, float(self._reached)
        if kind == "avi" and cut and (rate := self._stream.average_rate):
            # FFmpeg shortens the length of what it finds cut off, but not the number of frames
            length = max(length, float(self._stream.frames / rate))
        if self._container.start_time and self._container.start_time < 0:
            reached -= self._container.start_time / 1_000_000
        # where a file starts late, its length counts from there or from 0: nothing is said unless both are early
        if kind in DECLARED and reached < length - (CUT_SECONDS if cut else EARLY_SECONDS):
            return f"{reached:.1f} of {length:.1f} s, {frames} frames"
        size = self._container.size
        partial = kind == "mpegts" and size > 0 and all(size % packet for packet in PACKET_SIZES)
        return cut or (f"its last packet is incomplete, after {frames} frames" if partial or self._incomplete else "")
