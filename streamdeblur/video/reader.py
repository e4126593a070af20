"""Reader: decoded frames of a file's video stream, and the packets of all others, in the order of the file."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Union

from streamdeblur.cores import DECODING_THREADS
from streamdeblur.errors import BeyondEndError, InputError
from streamdeblur.video.clock import can_be_sought, is_cut_from_stream, tells_times
from streamdeblur.video.conversion import to_editable_format
from streamdeblur.video.covers import is_cover
from streamdeblur.video.cuts import Segment
from streamdeblur.video.description import codec_tag
from streamdeblur.video.length import VideoLength
from streamdeblur.video.preroll import PREROLL_SECONDS, Preroll
from streamdeblur.video.source import MAX_PIXELS, main_video_stream, open_source, shown_input, video_streams
from streamdeblur.video.stdin import STDIN, StdinFile
from streamdeblur.video.tail import Tail
from streamdeblur.video.timestamps import ContinuousStamps, DecodingStamps, FrameStamps

if TYPE_CHECKING:
    import av

    from streamdeblur.video.audio import AudioDecoder

Item = Union["av.VideoFrame", "av.Packet[av.stream.Stream]"]

MOST_ERRORS = 250
"""Number of consecutive undecodable packets after which reading ends."""
REORDERING_SECONDS = 2
"""How far packets of other streams may lie behind the video in a file."""
PEEKED_PACKETS, PEEKED_BYTES = 500, 32 << 20
"""Most that is read ahead to find the first packets of the other streams."""


class Reader:
    """Reads one video stream frame by frame.

    Iterating yields the frames, in order of presentation, and the packets of all other streams, in the order of the file. Damaged
    parts are skipped and counted, and are never an error once a frame was decoded.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        start: float | Fraction = 0.0,
        duration: float | Fraction | None = None,
        segment: Segment | None = None,
        allow_network: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Open `source` and decode its first frame.

        Args:
            source: A file, "-" for stdin, or a URL where `allow_network` is set.
            start: Where to begin, in seconds from the first frame.
            duration: How much to read, in seconds; by default, all that is left.
            segment: What to read instead: from its `prepare` to its `until`, with the stamps of the file.
            allow_network: Also read URLs, and playlists that name other files or hosts.
            max_pixels: Frames with more pixels are skipped and counted.

        Raises:
            BeyondEndError: The source has no frame from `start` on.
            InputError: The source cannot be read, has no video stream, or none of its frames can be decoded.
        """
        self.source = source
        self.warnings: list[str] = []
        self.undecodable = 0
        """Packets of the video stream that could not be decoded."""
        self._oversized = 0
        self._size_known = self._size_refused = False
        self._max_pixels = max_pixels
        self._stdin = StdinFile() if str(source) == STDIN else None
        self.container = self._opened(allow_network=allow_network)
        try:
            self.stream = self._video_stream()
            self.stream.thread_type = "AUTO"
            self.stream.codec_context.thread_count = DECODING_THREADS
            self._tail = Tail(self.stream, {"max_pixels": str(max_pixels)})
            self._length = VideoLength(self.container, self.stream)
            self._continuous = self._continuous_stamps()
            self._rising = FrameStamps()
            self._decoding = self._decoding_stamps()
            self._begin, self._end = self._range(start, duration) if segment is None else self._range_of(segment)
            self._begin_known = self.stream.start_time is not None or segment is not None
            self._ended, self._errors = False, 0
            self._preroll = Preroll(self._begin) if start and is_cut_from_stream(self.container) else None
            self._later, self._whole = bool(start), not start and segment is None
            self._packet_source = self._continuous.apply(self._packets())
            self._packets_ahead: deque[av.Packet[av.stream.Stream]] = deque()
            self.first_packets = self._peek()
            """First packet of each other stream, by its index, where it lies near the beginning; not to be changed."""
            self.audio_decoders: dict[int, AudioDecoder] = {}
            """Decoders of the audio streams that writers convert, by index."""
            self._items = self._read()
            self._ahead: list[Item] = []
            self.first_frame = self._first_frame(max_pixels)
        except BaseException:
            # the caller gets no object to close, so the file is closed here, after Ctrl-C and exits, too
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Reader({str(self.source)!r})"

    def _opened(self, *, allow_network: bool) -> av.container.InputContainer:
        try:
            return open_source(self.source, allow_network=allow_network, max_pixels=self._max_pixels, stdin=self._stdin)
        except BaseException:
            self._close_stdin()
            raise

    def _video_stream(self) -> av.VideoStream:
        main = main_video_stream(self.container)
        if main is None:
            kind = "no video stream" + (" (audio only)" if self.container.streams.audio else "")
            raise InputError(f"{shown_input(self.source)} has {kind}.")
        if main.codec_context is None:
            raise InputError(f"{shown_input(self.source)}: its video codec is not known to this FFmpeg.")
        if (count := len(video_streams(self.container))) > 1:
            self.warnings.append(f"{count} video streams: only stream {main.index} is deblurred, the others are copied")
        return main

    def _continuous_stamps(self) -> ContinuousStamps:
        dense = {stream.index for stream in self.container.streams if stream.type in ("audio", "video")}
        return ContinuousStamps(dense, skips=is_cut_from_stream(self.container))

    def _decoding_stamps(self) -> DecodingStamps | None:
        """What makes stamps of presentation for files that have those of decoding alone; None for other files."""
        # AVI, and Matroska for Video for Windows, whose streams have the four letters of that
        kind, tag = self.container.format.name, codec_tag(self.stream.codec_context)
        only_decoding_stamps = kind == "avi" or (kind == "matroska,webm" and tag != "")
        return DecodingStamps() if only_decoding_stamps else None

    @property
    def begin(self) -> Fraction:
        """Time at which the video begins, in seconds, by what the file declares."""
        return self._length.begin

    @property
    def start_offset(self) -> Fraction:
        """Seconds to subtract from all time stamps: 0 unless a start was given."""
        return self._begin if self._later else Fraction(0)

    @property
    def end(self) -> Fraction | float:
        """Time in the file at which what is read ends, in seconds; infinite for all that is left."""
        return self._end

    @property
    def total_frames(self) -> int | None:
        """Number of frames that iterating yields, by what the file declares; None where it declares nothing."""
        return self._length.frames(self._begin, self._end)

    @property
    def total_seconds(self) -> float | None:
        """Length of the video by what the file declares; None where it declares nothing."""
        return self._length.seconds

    def seconds_of(self, frame: av.VideoFrame) -> float:
        """Return the time of a frame in seconds from the first frame of the file."""
        return 0.0 if frame.pts is None or not frame.time_base else float(frame.pts * frame.time_base - self._length.begin)

    def _range(self, start: float | Fraction, duration: float | Fraction | None) -> tuple[Fraction, Fraction | float]:
        begin = self._length.begin + _exact(start)
        if start and tells_times(self.container, self.stream):
            if (seconds := self._length.seconds) is not None and start >= seconds:
                name = shown_input(self.source)
                raise BeyondEndError(f"--start {float(start):g} lies beyond the end of {name} ({seconds:.2f} s).")
            self._seek(begin)
        elif start > PREROLL_SECONDS and can_be_sought(self.container, self.stream):
            self._seek(begin - PREROLL_SECONDS)
        return begin, float("inf") if duration is None else begin + _exact(duration)

    def _range_of(self, segment: Segment) -> tuple[Fraction, Fraction | float]:
        base = self.stream.time_base or Fraction(1)
        if segment.number:
            self._seek(segment.prepare * base)
        return segment.prepare * base, float("inf") if segment.until is None else segment.until * base

    def _seek(self, begin: Fraction) -> None:
        """Go to a key frame before a time; what cannot be sought is read from its beginning."""
        import av

        with suppress(av.FFmpegError, OSError):
            self.container.seek(int(begin / (self.stream.time_base or 1)), stream=self.stream, backward=True)

    def _peek(self) -> dict[int, av.Packet[av.stream.Stream]]:
        """Read ahead until each audio stream and picture has shown a packet, as far as the limits allow."""
        first: dict[int, av.Packet[av.stream.Stream]] = {}
        missing = {s.index for s in self.container.streams if s.type in ("audio", "video")} - {self.stream.index}
        size = 0
        while missing and len(self._packets_ahead) < PEEKED_PACKETS and size < PEEKED_BYTES:
            packet = next(self._packet_source, None)
            if packet is None:
                break
            self._packets_ahead.append(packet)
            size += packet.size
            if packet.size and packet.stream.index != self.stream.index:
                first.setdefault(packet.stream.index, packet)
            missing.discard(packet.stream.index)
        return first

    def _all_packets(self) -> Iterator[av.Packet[av.stream.Stream]]:
        while self._packets_ahead:
            yield self._packets_ahead.popleft()
        yield from self._packet_source

    def _first_frame(self, max_pixels: int) -> av.VideoFrame:
        import av

        for item in self._items:
            self._ahead.append(item)
            if isinstance(item, av.VideoFrame):
                return item
        if self._later and not self.undecodable:
            raise BeyondEndError(f"--start lies beyond the end of {shown_input(self.source)}.")
        large = f"They are damaged, or larger than the limit of {max_pixels // 1_000_000} megapixels." if self.undecodable else ""
        hint = self._stdin.hint if self._stdin else ""
        raise InputError(f"No frame of {shown_input(self.source)} can be decoded. {large}".rstrip() + hint)

    def __iter__(self) -> Iterator[Item]:
        yield from self._ahead
        self._ahead.clear()
        yield from self._items

    def stop(self) -> None:
        """End the iteration in another thread where it waits for stdin."""
        if self._stdin is not None:
            self._stdin.stop()

    def close(self) -> None:
        """Close the file."""
        self.container.close()
        self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    @property
    def repaired(self) -> bool:
        """Whether anything that was read so far is damaged, or had time stamps that were changed."""
        return bool(self.undecodable or self._continuous.jumps or self._continuous.moved or self._rising.moved)

    def other_packets(self, frames: int) -> Iterator[av.Packet[av.stream.Stream]]:
        """Yield the packets of the other streams alone, for an output whose frames are encoded already.

        Args:
            frames: How many they are.
        """
        import av

        yield from (item for item in self._ahead if isinstance(item, av.Packet))
        self._ahead.clear()
        for packet in self._all_packets():
            self._length.note(packet)
            if packet.stream.index != self.stream.index and packet.size:
                yield packet
        self._report_end(frames)

    def _read(self) -> Iterator[Item]:
        import av

        frames = 0
        held: av.VideoFrame | None = None
        for item in self._demux():
            if not isinstance(item, av.VideoFrame):
                yield item
                continue
            stamp = self._rising.push(item.pts, self._step(item))
            if held is not None and self._in_range(held, stamp):
                frames += 1
                yield self._editable(held)
            held = item
        if held is not None and self._in_range(held, self._rising.finish()):
            frames += 1
            yield self._editable(held)
        self._report(frames)

    def _in_range(self, frame: av.VideoFrame, stamp: int | None) -> bool:
        """Give a frame its final stamp, and return whether it is to be read; the first one behind the range ends the decoding."""
        frame.pts = stamp
        time = (stamp or 0) * self._base(frame)
        if not self._begin_known:
            self._move_range(time - self._length.begin)
        self._ended = self._ended or time >= self._end
        return (self._whole or time >= self._begin) and time < self._end

    def _move_range(self, seconds: Fraction) -> None:
        """Let the range count from the first frame, where the file does not tell the time of that."""
        self._begin_known = True
        self._length.begin += seconds
        self._begin += seconds
        self._end += seconds

    def _demux(self) -> Iterator[Item]:
        """All frames, and other packets within the range, until all streams have passed its end."""
        for packet in self._all_packets():
            self._length.note(packet)
            # The packets that flush the decoders at the end name their stream only as an object.
            if packet.stream.index != self.stream.index:
                if packet.size and self._belongs(packet):
                    yield self._cut(packet)
                continue
            if self._ended:
                if packet.pts is not None and packet.pts * packet.time_base > self._end + REORDERING_SECONDS:
                    return
                continue
            for needed in [packet] if self._preroll is None else self._preroll.push(packet):
                yield from self._frames_of(needed)
            if self._errors >= MOST_ERRORS:
                self.warnings.append(f"stopped reading after {self._errors} consecutive packets that could not be decoded")
                return

    def _frames_of(self, packet: av.Packet[av.stream.Stream]) -> Iterator[av.VideoFrame]:
        """The frames that come out of the decoder with a packet, with the stamps that they have by themselves."""
        if self._decoding is not None and packet.size:
            self._decoding.note(packet.dts)
        frames, damaged = self._decode(packet)
        self._errors = self._errors + 1 if damaged else 0
        for frame in frames:
            frame.time_base = self._base(frame)
            frame.pts = self._presented(frame)
            yield frame

    def _belongs(self, packet: av.Packet[av.stream.Stream]) -> bool:
        """Whether a packet of another stream lies in the range; a cover picture has no time, and belongs to each."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        return is_cover(packet.stream) or self._wanted(stamp, packet.time_base)

    def _cut(self, packet: av.Packet[av.stream.Stream]) -> av.Packet[av.stream.Stream]:
        """A packet of another stream; a long one (a subtitle) ends where the range does."""
        if self._end != float("inf") and packet.pts is not None and packet.duration:
            packet.duration = min(packet.duration, max(1, round(self._end / packet.time_base) - packet.pts))
        return packet

    def _base(self, frame: av.VideoFrame) -> Fraction:
        return frame.time_base or self.stream.time_base or Fraction(1, 1_000_000)

    def _step(self, frame: av.VideoFrame) -> int:
        """Ticks from a frame to the next, as far as the file tells."""
        if self._decoding is not None and self._decoding.step:
            return self._decoding.step
        rate = self.stream.average_rate or self.stream.guessed_rate or 25
        return frame.duration or max(1, round(1 / (rate * self._base(frame))))

    def _presented(self, frame: av.VideoFrame) -> int | None:
        """The presentation stamp of a frame; in files that have none, the decoding stamp less the delay of the decoder."""
        depth = self.stream.codec_context.reorder_depth
        if self._decoding is not None:
            return None if frame.dts is None else self._decoding.presented(frame.dts, depth)
        if frame.pts is not None:
            return frame.pts
        return None if frame.dts is None else frame.dts - depth * self._step(frame)

    def _wanted(self, stamp: int | None, base: Fraction) -> bool:
        return stamp is None or ((self._whole or stamp * base >= self._begin) and stamp * base < self._end)

    def _packets(self) -> Iterator[av.Packet[av.stream.Stream]]:
        import av

        try:
            yield from self.container.demux()
        except (av.FFmpegError, OSError) as error:
            self.warnings.append(f"reading ended early: {error.strerror or error}")
            yield from self._flush()

    def _flush(self) -> Iterator[av.Packet[av.stream.Stream]]:
        import av

        packet: av.Packet[av.stream.Stream] = av.Packet()
        packet.stream = self.stream
        yield packet

    def _decode(self, packet: av.Packet[av.stream.Stream]) -> tuple[list[av.VideoFrame], bool]:
        if not packet.size and packet.dts is not None:
            # a frame that shows the one before again (AVI): for the decoder it would be the end of the stream
            return [], False
        if packet.size:
            self._tail.note(packet)
        frames, damaged = self._tried(packet)
        self._tail.came_out(frames)
        return (frames if packet.size else [*frames, *self._tail.lost()]), damaged

    def _tried(self, packet: av.Packet[av.stream.Stream]) -> tuple[list[av.VideoFrame], bool]:
        """The frames that come out of the decoder with a packet, and whether it failed."""
        import av

        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except (av.FFmpegError, OSError) as error:
            self.undecodable += 1
            self._oversized += self._too_large(error)
            return [], True
        if frames:
            self._size_known, self._size_refused = True, False
        return frames, False

    def _too_large(self, error: Exception) -> bool:
        """Whether a packet failed for the limit of pixels: its own frame's size, or that of one it refers to."""
        context = self.stream.codec_context
        # decoders keep a size over the limit (H.264, HEVC), forget it (most others) or return ERANGE (dav1d)
        over = context.width * context.height > self._max_pixels or (self._size_known and not context.width)
        self._size_refused = self._size_refused or over or getattr(error, "errno", None) == errno.ERANGE
        return self._size_refused

    def _editable(self, frame: av.VideoFrame) -> av.VideoFrame:
        converted = to_editable_format(frame)
        if converted.format.name != frame.format.name:
            self._warn_once(f"pixel format {frame.format.name} is converted to {converted.format.name}")
        return converted

    def _warn_once(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _report(self, frames: int) -> None:
        """Warn of what was repaired and of what is missing."""
        if self._continuous.jumps:
            jumps = "one jump" if self._continuous.jumps == 1 else f"{self._continuous.jumps} jumps"
            self.warnings.append(f"the time stamps have {jumps}: what follows was moved, all streams alike")
        if bad := self._continuous.moved + self._rising.moved:
            stamps = "one time stamp was" if bad == 1 else f"{bad} time stamps were"
            self.warnings.append(f"{stamps} repeated or out of order, and set behind the one before")
        if self._oversized:
            limit = f"the limit of {self._max_pixels / 1_000_000:.3g} megapixels"
            self.warnings.append(f"{self._oversized} packets with frames over {limit} were skipped")
        if damaged := self.undecodable - self._oversized:
            self.warnings.append(f"{damaged} damaged packets could not be decoded and were skipped")
        self._report_end(frames)

    def _report_end(self, frames: int) -> None:
        """Warn of what is missing at the end of the file."""
        if self._end == float("inf") and self._whole and (early := self._length.early_end(frames)):
            self.warnings.append(f"the file ends early: {early}")


def _exact(seconds: float | Fraction) -> Fraction:
    """A time without the rounding of a decimal number to a binary one."""
    return seconds if isinstance(seconds, Fraction) else Fraction(seconds).limit_denominator(1_000_000)
