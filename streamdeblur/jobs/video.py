"""deblur_video: from a video file to a video file; decoding, restoring and encoding overlap."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Unpack

import av

from streamdeblur.cores import plan_threads
from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.errors import OptionError
from streamdeblur.faces.decision import FaceDecision
from streamdeblur.files import check_target, refuse_same_streams
from streamdeblur.frames import StreamItem
from streamdeblur.jobs.frame_view import FrameView
from streamdeblur.jobs.summary import JobSummary
from streamdeblur.options import RestorationOptions, VideoOptions, VideoSettings, unused_look_ahead
from streamdeblur.reports.report import FaceReport, check_report, open_report
from streamdeblur.statistics import RestorationStatistics
from streamdeblur.video.channel import Channel, Stages
from streamdeblur.video.copying import copy_frame
from streamdeblur.video.cuts import Cuts, Segment, find_cuts
from streamdeblur.video.parts import part_of
from streamdeblur.video.planes import upright_planes
from streamdeblur.video.reader import Item, Reader
from streamdeblur.video.source import MAX_PIXELS, check_source
from streamdeblur.video.stdin import STDIN, STDOUT, descriptor_of
from streamdeblur.video.stdout import StdoutWriter
from streamdeblur.video.writer import Writer

MEASURED_EVERY = 5
"""Frames of which one has the blur of its restored faces measured, which takes 0.7 ms for a face (one core of an AMD EPYC)."""
QUEUED = 6
"""Frames and packets that may wait between two stages."""


@dataclass(frozen=True)
class Progress:
    """How far a video job is."""

    frames: int
    total_frames: int | None
    """As the file states it; None where it does not."""
    seconds: float
    """Since the first frame was requested."""
    restored: int
    """Faces restored so far."""

    @property
    def fps(self) -> float:
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float | None:
        """Of the frames, 0 to 1; None where their number is unknown. A file may have more of them than it states."""
        return min(1.0, self.frames / self.total_frames) if self.total_frames else None

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None where the number of frames is unknown."""
        return self.seconds * (1 / self.share - 1) if self.share else None

    def __str__(self) -> str:
        total = f"/{self.total_frames}" if self.total_frames else ""
        return f"frame {self.frames}{total}, {self.fps:.1f} fps, {self.restored} faces restored"


@dataclass(frozen=True, kw_only=True)
class VideoSummary(JobSummary):
    """What was done to a video."""

    frames: int
    seconds: float
    fps: float
    """Frames per second of working time."""
    median_blur: tuple[float, float] | None = None
    """Of the restored faces, before and after, 0 (sharp) to 1 (smooth), measured in one of five frames; None without any."""

    @property
    def in_words(self) -> str:
        """What was done, in one line."""
        target = "stdout" if self.output == STDOUT else self.output
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        before, after = self.median_blur or (0.0, 0.0)
        blur = f"; median blur of the restored faces {before:.2f} before, {after:.2f} after" if self.median_blur else ""
        return (
            f"{target}: {frames} in {self.seconds:.1f} s ({self.fps:.1f} fps); {self.faces_in_words}{blur}; "
            f"{self.network}, {self.engine}, {self.detector}"
        )


def deblur_video(
    source: str | Path,
    target: str | Path,
    options: VideoOptions | None = None,
    *,
    on_progress: Callable[[Progress], object] | None = None,
    deblurrer: FaceDeblurrer | None = None,
    max_pixels: int = MAX_PIXELS,
    **settings: Unpack[VideoSettings],
) -> VideoSummary:
    """Restore the faces of a video file; other streams, time stamps and tags are carried over where the target can hold them.

    The target appears under its name when it is complete, and only then. Warnings are logged, and are in the summary.

    Args:
        source: A file that FFmpeg decodes, "-" for stdin, or a URL where `allow_network` is set.
        target: .mp4, .m4v, .mov, .mkv, .webm, .avi, .ts, .mts, .m2ts or .nut; or "-" for stdout.
        options: Settings; by default those of `VideoOptions`.
        on_progress: Called after each frame.
        deblurrer: One to use again for many files (it is reset); otherwise one is opened with the restoration settings.
        max_pixels: Frames with more pixels are skipped as damaged: a frame may be larger than the file declares.
        settings: Flat fields of `VideoOptions` that replace those of `options`: ``strength=0.8, codec="ffv1"``.

    Raises:
        InputError: The source cannot be read.
        OutputError: The target cannot be written, or exists and `overwrite` is not set.
        OptionError: A setting is not valid, or differs from that of the given `deblurrer`.
        NetworkError, EngineError, DetectorError: A network, engine or detector cannot be used here.
    """
    options = _options(options).changed(**settings)
    if deblurrer is not None:
        _refuse_other_restoration(options.restoration, deblurrer)
    threads = deblurrer.threads if deblurrer is not None else plan_threads("file", options.restoration.cores)
    _check_files(source, target, options)
    start, duration = part_of(source, options, allow_network=options.allow_network)
    reader = Reader(source, start=start, duration=duration, allow_network=options.allow_network, max_pixels=max_pixels)
    # The reader and the engine are closed last: what is written is complete by then.
    with ExitStack() as opened:
        opened.callback(reader.close)
        # Everything that can be refused is refused before the networks are loaded.
        with _open_writer(target, reader, options, threads.encoder) as writer:
            deblurrer = deblurrer or opened.enter_context(FaceDeblurrer(options.restoration, throughput=True))
            deblurrer.reset()
            began = time.monotonic()
            places = FramePlaces.of_video(cuts_of(source, options))
            # complete when the video is
            report = None if options.report is None else opened.enter_context(open_report(options.report, Path(source).name))
            frames = restore_frames(reader, deblurrer, writer, options, places, report=report, on_progress=on_progress)
        seconds = time.monotonic() - began
    return VideoSummary.of(
        source,
        target,
        deblurrer,
        [*reader.warnings, *writer.warnings, *unused_look_ahead(options, deblurrer.network), *_unused_container(target, options)],
        frames=frames,
        seconds=round(seconds, 3),
        fps=round(frames / seconds, 2) if seconds else 0.0,
        median_blur=deblurrer.statistics.median_blur,
    )


def _options(options: VideoOptions | None) -> VideoOptions:
    if not isinstance(options, VideoOptions | None):
        raise OptionError(f"deblur_video needs VideoOptions (got {type(options).__name__}): VideoOptions(restoration=options).")
    return options or VideoOptions()


def _check_files(source: str | Path, target: str | Path, options: VideoOptions) -> None:
    """Refuse an input that cannot be read, and outputs that must not be written."""
    check_source(source, allow_network=options.allow_network)
    if str(target) != STDOUT:
        check_target(source, Path(target), overwrite=options.overwrite)
    elif str(source) == STDIN:
        refuse_same_streams(descriptor_of(sys.stdin), descriptor_of(sys.stdout))
    if options.report is not None:
        check_report(options.report, source, Path(target), overwrite=options.overwrite)


def _open_writer(target: str | Path, reader: Reader, options: VideoOptions, threads: int) -> Writer:
    encoding, streams, side_by_side = options.encoding, options.streams, options.side_by_side
    if str(target) == STDOUT:
        return StdoutWriter(options.container, reader, encoding, streams, side_by_side=side_by_side, threads=threads)
    return Writer(Path(target), reader, encoding, streams, side_by_side=side_by_side, threads=threads)


def _unused_container(target: str | Path, options: VideoOptions) -> list[str]:
    given = "container" in options.model_fields_set and str(target) != STDOUT
    return ["container has no effect: the name of the output tells it"] if given else []


def cuts_of(source: str | Path, options: VideoOptions) -> Cuts:
    """Return where the segments of a whole file begin, in whatever way it is restored.

    A part of a file, and what is no file on a disk, is followed without a break; so is a file whose tracks are numbered.
    """
    if options.numbers_tracks or not options.whole or str(source) == STDIN or not os.path.isfile(source):
        return Cuts()
    return find_cuts(source, options.segment)


def _refuse_other_restoration(wanted: RestorationOptions, deblurrer: FaceDeblurrer) -> None:
    """Refuse settings that the deblurrer that is given would ignore."""
    differing = [name for name in wanted.model_fields_set if getattr(wanted, name) != getattr(deblurrer.options, name)]
    if differing:
        names = ", ".join(sorted(differing))
        raise OptionError(f"The given deblurrer has other values for: {names}. Set them where it is opened: FaceDeblurrer(...).")


@dataclass(frozen=True)
class FramePlaces:
    """What the frames are to the segments of their video, by their time stamps."""

    segments: Mapping[int, Literal["prepare", "begin"]] = field(default_factory=dict)
    """Frames at which a segment is prepared or begins."""
    begin: int | None = None
    """First frame to restore; None for the first one that is read."""
    end: int | None = None
    """First frame after it that is not restored; None for no end."""

    @classmethod
    def of_video(cls, cuts: Cuts) -> FramePlaces:
        """Return those of the frames of a whole video."""
        segments: dict[int, Literal["prepare", "begin"]] = {prepare: "prepare" for prepare, _ in cuts.begins}
        for _, begin in cuts.begins:
            segments[begin] = "begin"
        return cls(segments)

    @classmethod
    def of_segment(cls, segment: Segment) -> FramePlaces:
        """Return those of the frames that are read for a segment."""
        return cls(begin=segment.begin, end=segment.end)

    def item(self, frame: av.VideoFrame, payload: object) -> StreamItem[Any]:
        """Return a frame as an item of a stream."""
        stamp = frame.pts or 0
        restored = (self.begin is None or stamp >= self.begin) and (self.end is None or stamp < self.end)
        return StreamItem(frame, payload=payload, restored=restored, segment=self.segments.get(stamp))


@dataclass(frozen=True)
class _Restored:
    """An item on its way to the writer."""

    item: StreamItem[Any]
    faces: Sequence[FaceDecision] = ()
    """What was done with those of its frame."""


def restore_frames(
    reader: Reader,
    deblurrer: FaceDeblurrer,
    writer: Writer,
    options: VideoOptions,
    places: FramePlaces,
    *,
    report: FaceReport | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> int:
    """Run the three stages of a job to the end; the first error of any stage is raised.

    Args:
        reader: Decodes the frames.
        deblurrer: Restores them.
        writer: Encodes those that are restored.
        options: Whether they are shown side by side, and how far the deblurrer looks ahead.
        places: What the frames are to segments.
        report: Gets the faces of each frame that is written.
        on_progress: Called after each frame that was restored.

    Returns:
        The number of frames that were written.
    """
    decoded, restored = Channel[Item](QUEUED), Channel[_Restored](QUEUED)
    view = FrameView(options)
    frames, since_cut, began = 0, 0, time.monotonic()
    with Stages(decoded, restored, stop=reader.stop) as stages:
        stages.start(lambda: decoded.send_all(reader))
        stages.start(lambda: _write(writer, restored, view))
        items = _stream_items(decoded, places, with_input=view.needs_input)
        for item in deblurrer.stream(items, look_ahead=options.look_ahead):
            if not item.restored:
                continue
            if not isinstance(item.frame, av.VideoFrame):
                restored.send(_Restored(item))
                continue
            faces, planes = deblurrer.decisions, upright_planes(item.frame)
            # counted anew in each segment, as where they are restored apart
            since_cut = 0 if item.segment == "begin" else since_cut
            # each face is measured once, whoever asks
            blur_after = cache(partial(FaceDecision.blur_in, planes=planes))
            if since_cut % MEASURED_EVERY == 0:
                _count_blur(faces, blur_after, deblurrer.statistics)
            if report is not None:
                report.add(frames, reader.seconds_of(item.frame), planes, faces, blur_after)
            restored.send(_Restored(item, faces))
            frames, since_cut = frames + 1, since_cut + 1
            if on_progress is not None:
                on_progress(Progress(frames, reader.total_frames, time.monotonic() - began, deblurrer.statistics.restored))
        restored.close()
    return frames


def _stream_items(items: Iterable[Item], places: FramePlaces, *, with_input: bool) -> Iterator[StreamItem[Any]]:
    """Frames with a copy of the original as their payload where it is shown, and packets as payloads in their place."""
    for item in items:
        if isinstance(item, av.VideoFrame):
            yield places.item(item, copy_frame(item) if with_input else None)
        else:
            yield StreamItem(None, payload=item)


def _count_blur(
    faces: Sequence[FaceDecision], blur_after: Callable[[FaceDecision], float], statistics: RestorationStatistics
) -> None:
    """Count the blur of the restored faces of a frame, before and after."""
    for face in faces:
        if face.restored and face.blur is not None:
            statistics.add_blur(face.blur, blur_after(face))


def _write(writer: Writer, items: Iterable[_Restored], view: FrameView) -> None:
    for restored in items:
        frame, payload = restored.item.frame, restored.item.payload
        if isinstance(frame, av.VideoFrame):
            if restored.item.segment == "begin":
                view.begin_segment()
            writer.write(view.frame(payload, frame, restored.faces))
        else:
            writer.copy(payload)
