"""Packets of encoded streams: copies of them, and time stamps that rise."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.video.timestamps import move_stamps

if TYPE_CHECKING:
    import av

    from streamdeblur.video.trial import Packet

EQUAL_STAMPS = 0x20000
"""AVFMT_TS_NONSTRICT: packets of one stream may have equal time stamps."""


def copy_packet(packet: Packet) -> Packet:
    """Copy a packet with its stamps, flags and side data; both share the bytes.

    Muxers and filters use a packet up, so one that is still needed is copied first.
    """
    import av

    copied: Packet = av.Packet(packet)  # type: ignore[arg-type]  # any buffer will do
    copied.stream = packet.stream
    copied.pts, copied.dts, copied.duration = packet.pts, packet.dts, packet.duration
    copied.time_base, copied.is_keyframe, copied.is_corrupt = packet.time_base, packet.is_keyframe, packet.is_corrupt
    for side_data in packet.iter_sidedata():
        copied.set_sidedata(side_data)
    return copied


class RisingStamps:
    """Gives the packets of one output stream decoding times that rise, as muxers demand.

    A stamp that is missing follows from the packet before; one that does not rise is moved by as little as the container asks
    for, as ffmpeg's own command does. Later packets keep theirs.
    """

    def __init__(self, stream: av.stream.Stream) -> None:
        self.moved = 0
        """Number of packets whose stamps had to be moved."""
        self._stream = stream
        self._step = 0 if stream.container.format.flags & EQUAL_STAMPS else 1
        self._last: int | None = None
        self._next = 0

    def apply(self, packet: Packet, offset: Fraction) -> None:
        """Shift a packet by `-offset` seconds, express its stamps in the stream's time base, and let them rise.

        The header of the container must have been written, since that determines the time base.
        """
        from av.rational import AVRational

        if offset and packet.time_base:
            move_stamps(packet, -round(offset / packet.time_base))
        if self._stream.time_base and packet.time_base:
            packet.rescale_ts(AVRational(self._stream.time_base))
        self._complete(packet)
        dts = packet.dts
        if dts is None:
            return
        if self._last is not None and dts < self._last + self._step:
            dts = self._last + self._step
            packet.pts = None if packet.pts is None else max(packet.pts, dts)
            packet.dts = dts
            self.moved += 1
        self._last, self._next = dts, dts + (packet.duration or 0)

    def _complete(self, packet: Packet) -> None:
        """Replace stamps that are missing or contradict each other, where the order of presentation is that of decoding."""
        if self._stream.type == "video":
            if packet.pts is not None and packet.dts is not None and packet.pts < packet.dts:
                packet.dts = packet.pts
            return
        stamp = packet.dts if packet.dts is not None else packet.pts
        packet.dts = self._next if stamp is None else stamp
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
