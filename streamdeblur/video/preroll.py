"""Preroll: what lies before a part of a video in a file without an index is read, and is not decoded but for its end."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

PREROLL_SECONDS = 10
"""Before a part, this much is decoded at least: what a key frame of broadcasts takes to be complete, and more."""
MOST_BYTES = 128 << 20
"""Most packets from one key frame to the next that are held back; where there are more, all that follows is decoded."""


class Preroll:
    """The packets of a video stream, without those before the last key frame that lies well before a time."""

    def __init__(self, begin: Fraction) -> None:
        """`begin`: the time, in seconds, by the stamps of the packets."""
        self._until = begin - PREROLL_SECONDS
        self._held: list[av.Packet[av.stream.Stream]] = []
        self._bytes = 0
        self._passed = False

    def push(self, packet: av.Packet[av.stream.Stream]) -> list[av.Packet[av.stream.Stream]]:
        """Take the next packet, and return those to decode now, in order."""
        if self._passed:
            return [packet]
        later = packet.dts is not None and packet.dts * packet.time_base > self._until
        if packet.is_keyframe and not later:
            self._held, self._bytes = [], 0
        self._held.append(packet)
        self._bytes += packet.size
        # a packet without a size is the last one
        self._passed = later or not packet.size or self._bytes > MOST_BYTES
        held, self._held = (self._held, []) if self._passed else ([], self._held)
        return held
