"""A long video in segments: each is restored and encoded apart, and all are joined with the other streams of the source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.archive.segment_file import EncodedPacket, SegmentFile, SegmentWriter
from streamdeblur.errors import StreamDeblurError
from streamdeblur.faces.chosen import missing_faces
from streamdeblur.files import check_target
from streamdeblur.jobs.summary import counted, failed_faces, log_warnings
from streamdeblur.jobs.video import FramePlaces, Progress, VideoSummary, restore_frames
from streamdeblur.options import VideoOptions, unused_look_ahead
from streamdeblur.video.cuts import Segment
from streamdeblur.video.reader import Reader
from streamdeblur.video.writer import Writer

if TYPE_CHECKING:
    import av

    from streamdeblur.deblurrer import FaceDeblurrer


class NotJoinedError(StreamDeblurError):
    """The segments of a video do not make a whole; it is to be restored in one piece. The message says why."""


def restore_segment(
    source: Path,
    target: Path,
    path: Path,
    segment: Segment,
    options: VideoOptions,
    deblurrer: FaceDeblurrer,
    on_progress: Callable[[Progress], object] | None = None,
) -> int:
    """Restore the faces in a segment of a video, and write its encoded frames to a segment file.

    Args:
        source: The video.
        target: What it becomes.
        path: The segment file to write.
        segment: One of the segments that the video is cut into.
        options: Settings.
        deblurrer: An open deblurrer; it is reset.
        on_progress: Called after each frame.

    Returns:
        The number of frames.

    Raises:
        NotJoinedError: What was read is not what the segments of the video were planned by.
    """
    reader = Reader(source, segment=segment)
    try:
        writer = SegmentWriter(
            path, target, reader, options.encoding, side_by_side=options.side_by_side, threads=deblurrer.threads.encoder
        )
        with writer:
            deblurrer.reset()
            began = time.monotonic()
            places = FramePlaces.of_segment(segment)
            frames = restore_frames(reader, deblurrer, writer, options, places, on_progress=on_progress)
            if reader.repaired or frames != segment.frames or writer.moved:
                raise NotJoinedError(_difference(reader, writer, frames, segment))
            writer.warnings += [
                *reader.warnings, *deblurrer.unused_settings(), *unused_look_ahead(options, deblurrer.network)
            ]  # fmt: skip
            writer.describe(
                deblurrer.statistics,
                network=deblurrer.network.path.stem,
                engine=deblurrer.engine.name,
                detector=deblurrer.detector.name,
                seconds=round(time.monotonic() - began, 3),
            )
    finally:
        reader.close()
    return frames


def _difference(reader: Reader, writer: SegmentWriter, frames: int, segment: Segment) -> str:
    if reader.repaired:
        return "it is damaged, or its time stamps are not in order"
    if writer.moved:
        return "the output cannot express its time stamps"
    return f"segment {segment.number + 1} has {frames} frames, and {segment.frames} packets"


def join_segments(source: Path, target: Path, paths: Sequence[Path], options: VideoOptions, *, threads: int) -> VideoSummary:
    """Write a video from its segment files and the other streams of the source.

    Args:
        source: The video.
        target: The file to write.
        paths: The segment files, in order.
        options: Settings.
        threads: Threads of the encoder that the header is taken from.

    Raises:
        NotJoinedError: The segments do not fit together.
        InputError, OutputError: A file cannot be read, or written.
    """
    check_target(source, target, overwrite=options.overwrite)
    segments = [SegmentFile(path) for path in paths]
    contents = [segment.content for segment in segments]
    began = time.monotonic()
    reader = Reader(source)
    try:
        writer = JoiningWriter(target, reader, options, threads=threads)
        with writer:
            writer.join(segments)
    finally:
        reader.close()
    statistics = reduce(add, (content.statistics for content in contents))
    warnings = [*reader.warnings, *writer.warnings, *(text for content in contents for text in content.warnings)]
    missing = missing_faces(options.restoration.only, statistics)
    warnings = [*dict.fromkeys(warnings), *failed_faces(statistics), *missing]
    log_warnings(source.name, warnings)
    frames = sum(len(content.packets) for content in contents)
    seconds = sum(content.seconds for content in contents) + time.monotonic() - began
    return VideoSummary(
        input=str(source),
        output=str(target),
        network=contents[0].network,
        engine=", ".join(sorted({content.engine for content in contents})),
        detector=contents[0].detector,
        warnings=warnings,
        frames=frames,
        seconds=round(seconds, 3),
        fps=round(frames / seconds, 2) if seconds else 0.0,
        median_blur=statistics.median_blur,
        **counted(statistics),
    )


class JoiningWriter(Writer):
    """Writes a video whose frames are encoded already."""

    def __init__(self, target: Path, reader: Reader, options: VideoOptions, *, threads: int) -> None:
        """As `Writer`; the encoder is opened for the header alone."""
        super().__init__(
            target, reader, options.encoding, options.streams, side_by_side=options.side_by_side, threads=threads
        )  # fmt: skip

    def join(self, segments: Sequence[SegmentFile]) -> None:
        """Write the packets of all segments, and those of the other streams where their time comes.

        Raises:
            NotJoinedError: The segments do not fit together.
            OutputError: The file cannot be written.
        """
        with self._explained(encoding=True):
            self._open_encoder()
        self._check(segments)
        video = self._packets(segments)
        waiting = next(video, None)
        for other in self.reader.other_packets(sum(len(segment.content.packets) for segment in segments)):
            time_of_other = _time(other)
            while waiting is not None and time_of_other is not None and (_time(waiting) or 0) <= time_of_other - self.offset:
                self._mux(waiting)
                waiting = next(video, None)
            self.copy(other)
        while waiting is not None:
            self._mux(waiting)
            waiting = next(video, None)

    def _mux(self, packet: av.Packet[av.stream.Stream]) -> None:
        with self._explained():
            self._muxer.mux([packet])

    def _check(self, segments: Sequence[SegmentFile]) -> None:
        """Refuse segments whose codecs differ, or whose frames are not in order."""
        context = self.stream.codec_context
        own = context.name, (str(context.pix_fmt), context.width, context.height), (context.extradata or b"").hex()
        kinds = {segment.content.kind for segment in segments}
        if len(kinds) > 1 or {kind[1:] for kind in kinds} != {own}:
            raise NotJoinedError("the pictures of its segments differ in size, format or encoding")
        stamps = [(packets[0], packets[-1]) for packets in map(_shown, segments)]
        if any(last >= first for (_, last), (first, _) in pairwise(stamps)):
            raise NotJoinedError("the time stamps of its segments overlap")

    def _packets(self, segments: Sequence[SegmentFile]) -> Iterator[av.Packet[av.stream.Stream]]:
        """The packets of all segments, with decoding stamps as one encoder would have given them."""
        import av

        packets = [packet for segment in segments for packet in segment.content.packets]
        base, stamps = Fraction(*segments[0].content.time_base), _decoding_stamps(packets, segments[0])
        number = 0
        for segment in segments:
            for described, data in segment.packets():
                packet: av.Packet[av.stream.Stream] = av.Packet(data)
                packet.stream, packet.time_base = self.stream, base
                packet.pts, packet.dts, packet.duration = described.pts, stamps[number], described.duration
                packet.is_keyframe = described.is_keyframe
                number += 1
                yield packet

    def _last_packets(self) -> Sequence[av.Packet[av.VideoStream]]:
        return []


def _shown(segment: SegmentFile) -> list[int]:
    return sorted(packet.pts for packet in segment.content.packets)


def _time(packet: av.Packet[av.stream.Stream]) -> Fraction | None:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return None if stamp is None or not packet.time_base else stamp * packet.time_base


def _decoding_stamps(packets: Sequence[EncodedPacket], first: SegmentFile) -> list[int]:
    """Decoding stamps for the packets of all segments: each is the presentation stamp of the frame that comes a delay before it.

    The delay is that of the encoder, which its first packets show, or more where a packet would be shown before it is decoded.
    """
    shown = sorted(packet.pts for packet in packets)
    places = {stamp: place for place, stamp in enumerate(shown)}
    needed = max(number - places[packet.pts] for number, packet in enumerate(packets))
    beginning = [packet.dts for packet in first.content.packets if packet.dts < shown[0]]
    delay = max(needed, len(beginning))
    while len(beginning) < delay:
        beginning.insert(0, (beginning[0] if beginning else shown[0]) - 1)
    return [*beginning[:delay], *shown][: len(packets)]
