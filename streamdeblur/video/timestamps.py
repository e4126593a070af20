"""Time stamps that rise: jumps within a file are closed for all its streams, single bad stamps move by a tick.

The rules follow those of the ffmpeg command (its options -dts_delta_threshold and -dts_error_threshold), and look ahead where it
does not, so that one bad stamp never moves those after it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

NEAR_SECONDS = Fraction(1, 10)
"""A decoding stamp that is this close to the last one or to the one expected is good; others are judged by those that follow."""
FAR_SECONDS = 10
"""Decoding stamps that skip more than this do not belong to what came before."""
CONFIRMING = 3
"""Number of later packets of the stream that tell a jump from a single bad stamp."""
MOST_WAITING = 2000
"""Packets that are read ahead at most to find them."""
MOST_REORDERED = 16
"""Frames that a decoder holds back at most (H.264 and HEVC: 16)."""


class Stamped(Protocol):
    """A packet, as far as its time stamps go."""

    pts: int | None
    dts: int | None
    duration: int | None

    @property
    def time_base(self) -> Fraction | None: ...
    @property
    def stream_index(self) -> int: ...


Packet = TypeVar("Packet", bound=Stamped)


@dataclass
class _Stream:
    """Where a stream is, by the stamps of the file."""

    part: int = 0
    """Number of the jump that its packets come after."""
    last: Fraction | None = None
    """Decoding time of its last packet, in seconds."""
    expected: Fraction = Fraction(0)
    """Decoding time of its next packet."""
    shown: Fraction = Fraction(0)
    """Time until which its packets are shown or heard: with B-frames later than the decoding times."""


def move_stamps(packet: Stamped, ticks: int) -> None:
    """Move the stamps that a packet has by a number of ticks."""
    packet.pts = None if packet.pts is None else packet.pts + ticks
    packet.dts = None if packet.dts is None else packet.dts + ticks


class ContinuousStamps:
    """Gives the packets of a file time stamps without jumps, where recordings were joined or a clock was set.

    A jump is one offset for all streams, so that they stay in step. It is found by the streams whose packets follow one another
    closely, audio and video; packets of the others go with them.
    """

    def __init__(self, dense: Collection[int], *, skips: bool) -> None:
        """
        Args:
            dense: Indexes of the audio and video streams.
            skips: Whether a long way forward is a jump, as in files that are cut from broadcasts; in others it is a pause.
        """
        self._dense, self._skips = dense, skips
        self._streams: dict[int, _Stream] = {}
        self._offsets = [Fraction(0)]
        self._latest = Fraction(0)
        self.moved = 0
        """Single packets whose stamps were bad."""

    @property
    def jumps(self) -> int:
        """Number of jumps that were closed so far."""
        return len(self._offsets) - 1

    def apply(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield the packets, with other stamps where needed; those without a decoding stamp as they are, but for the offset."""
        source, waiting = iter(packets), deque[Packet]()
        while (packet := waiting.popleft() if waiting else next(source, None)) is not None:
            if not self._fits(packet):
                self._look_ahead(packet, waiting, source)
                self._settle(packet, [p for p in waiting if p.stream_index == packet.stream_index and p.dts is not None])
            yield self._placed(packet)

    def _fits(self, packet: Stamped) -> bool:
        """Whether a packet follows the one before it; one that comes after a known jump is assigned to it."""
        stream = self._streams.setdefault(packet.stream_index, _Stream())
        if packet.dts is None or not packet.time_base:
            return True
        time = packet.dts * packet.time_base
        if stream.part < self.jumps and self._after_the_jump(packet.stream_index, stream, time):
            stream.part, stream.last = self.jumps, None
        return packet.stream_index not in self._dense or stream.last is None or self._follows(time, stream, NEAR_SECONDS)

    def _after_the_jump(self, index: int, stream: _Stream, time: Fraction) -> bool:
        """Whether a time lies closer to what is expected with the offset of the last jump than with that of the stream."""
        old, new = self._offsets[stream.part], self._offsets[-1]
        close = index in self._dense and stream.last is not None
        expected = stream.expected + old if close else self._latest
        return abs(time + new - expected) < abs(time + old - expected)

    @staticmethod
    def _follows(time: Fraction, stream: _Stream, pause: Fraction | int) -> bool:
        """Whether a time can follow the last packet of a stream, after a pause of some length at most."""
        assert stream.last is not None
        return stream.last - NEAR_SECONDS <= time <= stream.expected + pause

    def _look_ahead(self, packet: Packet, waiting: deque[Packet], source: Iterator[Packet]) -> None:
        """Read packets until enough of the same stream wait."""
        found = sum(p.stream_index == packet.stream_index and p.dts is not None for p in waiting)
        while found < CONFIRMING and len(waiting) < MOST_WAITING and (following := next(source, None)) is not None:
            waiting.append(following)
            found += following.stream_index == packet.stream_index and following.dts is not None

    def _settle(self, packet: Stamped, following: list[Packet]) -> None:
        """Decide from the packets of the stream that follow whether one stamp is bad, or a jump or a pause begins."""
        stream = self._streams[packet.stream_index]
        assert packet.dts is not None
        assert packet.time_base
        assert stream.last is not None
        time = packet.dts * packet.time_base
        followers = [p.dts * p.time_base for p in following[:CONFIRMING] if p.dts is not None and p.time_base]
        backward = time < stream.last
        # those that go on as if this packet had not been
        unmoved = sum(self._follows(f, stream, FAR_SECONDS) and (backward or f < time) for f in followers)
        if 2 * unmoved > len(followers) or (backward and not followers):
            move_stamps(packet, round(stream.expected / packet.time_base) - packet.dts)
            self.moved += 1
        elif backward or (self._skips and time > stream.expected + FAR_SECONDS):
            self._offsets.append(self._offsets[stream.part] + self._end(stream) - time)
            stream.part, stream.last = self.jumps, None

    def _end(self, stream: _Stream) -> Fraction:
        """Where the part before a jump ends, by its stream, or by a stream that goes on for much longer."""
        latest = max((s.shown for i, s in self._streams.items() if s.part == stream.part and i in self._dense))
        longer = latest - stream.shown
        return stream.expected + (longer if NEAR_SECONDS < longer < FAR_SECONDS else 0)

    def _placed(self, packet: Packet) -> Packet:
        """The packet with the offset of its part; its stream goes on behind it."""
        stream = self._streams[packet.stream_index]
        if not packet.time_base:
            return packet
        offset = self._offsets[stream.part]
        if packet.dts is not None:
            time, length = packet.dts * packet.time_base, (packet.duration or 0) * packet.time_base
            if not length and stream.last is not None:
                length = max(Fraction(0), time - stream.last)
            shown = length + (packet.dts if packet.pts is None else packet.pts) * packet.time_base
            stream.shown = shown if stream.last is None else max(stream.shown, shown)
            stream.last, stream.expected = time, time + length
            if packet.stream_index in self._dense:
                self._latest = max(self._latest, time + offset)
        if offset:
            move_stamps(packet, round(offset / packet.time_base))
        return packet


class DecodingStamps:
    """Gives frames presentation time stamps where a file stores decoding time stamps alone (AVI).

    A frame leaves the decoder with the packet whose decoding stamp is its presentation stamp, but for a delay that is the same
    for all: that of the first frame behind the first packet. It is measured, for files that were copied from other containers
    have empty places between their packets, and a nominal frame rate that counts those.
    """

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: int | None = None
        self._steps: Counter[int] = Counter()

    def note(self, dts: int | None) -> None:
        """Take the decoding stamp of the next packet of the stream."""
        if dts is None:
            return
        if len(self._first) <= MOST_REORDERED:
            self._first.append(dts)
        if self._last is not None and dts > self._last:
            self._steps[dts - self._last] += 1
        self._last = dts

    @property
    def step(self) -> int | None:
        """Ticks between most packets; None before the second one."""
        return self._steps.most_common(1)[0][0] if self._steps else None

    def presented(self, dts: int, depth: int) -> int:
        """Return the presentation stamp of a frame.

        Args:
            dts: Decoding stamp that the frame left the decoder with.
            depth: Number of packets that the decoder holds back.
        """
        return dts - (self._first[min(depth, len(self._first) - 1)] - self._first[0] if self._first else 0)


class FrameStamps:
    """Gives frames in the order of presentation time stamps that rise; one that does not is set a tick after the one before.

    A frame is held until the next one is known: of two that are out of order, the one that is further from where it is expected
    is the bad one, and the other stays.
    """

    def __init__(self) -> None:
        self._previous: int | None = None
        self._held: tuple[int | None, int] | None = None
        self.moved = 0
        """Stamps that were repeated or out of order."""

    def push(self, stamp: int | None, step: int) -> int | None:
        """Take the stamp of the next frame, None where it has none, and its length; return the final stamp of the one before.

        Returns:
            None for the first frame.
        """
        settled = self._settle(stamp) if self._held is not None else None
        self._held = stamp, max(1, step)
        return settled

    def finish(self) -> int | None:
        """Return the final stamp of the last frame; None if there was no frame."""
        return self._settle(None) if self._held is not None else None

    def _settle(self, following: int | None) -> int:
        assert self._held is not None
        stamp, step = self._held
        previous = self._previous
        if stamp is None:
            stamp = self._missing(following, step)
        elif previous is None:
            if following is not None and following < stamp:
                stamp, self.moved = following - step, self.moved + 1
        elif stamp <= previous or self._too_late(stamp, following, previous + step):
            stamp, self.moved = previous + 1, self.moved + 1
        self._previous = stamp
        return stamp

    def _missing(self, following: int | None, step: int) -> int:
        """One step after the frame before, or before the next one if it is the first."""
        if self._previous is None:
            return 0 if following is None else following - step
        between = following is not None and self._previous + 1 < following <= self._previous + step
        return following - 1 if between and following is not None else self._previous + step

    def _too_late(self, stamp: int, following: int | None, expected: int) -> bool:
        """Whether a stamp is behind the next one, and is the one of the two that is further from where it is expected."""
        assert self._previous is not None
        if following is None or not self._previous < following < stamp:
            return False
        return abs(stamp - expected) > abs(following - expected)
