"""deblur_video: from a video file to a video file; decoding, restoring and encoding overlap."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Unpack

import av

from streamdeblur.deblurrer import FaceDeblurrer, Statistics
from streamdeblur.errors import OptionError, OutputError
from streamdeblur.options import RestorationOptions, VideoOptions, VideoSettings
from streamdeblur.video.channel import Channel, ChannelAbortedError
from streamdeblur.video.copying import beside, copy_frame
from streamdeblur.video.reader import Item, Reader
from streamdeblur.video.source import check_source
from streamdeblur.video.writer import Writer

QUEUED = 6
"""Frames and packets that may wait between two stages."""


@dataclass(frozen=True)
class Progress:
    """How far a video is."""

    frames: int
    total_frames: int | None
    """As far as the file says."""
    seconds: float
    """Since the first frame was asked for."""
    restored: int
    """Faces restored so far."""

    @property
    def fps(self) -> float:
        return self.frames / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        total = f"/{self.total_frames}" if self.total_frames else ""
        return f"frame {self.frames}{total}, {self.fps:.1f} fps, {self.restored} faces restored"


@dataclass(frozen=True)
class Summary:
    """What was done to a video."""

    input: str
    output: str
    frames: int
    seconds: float
    fps: float
    """Frames per second of working time."""
    faces: int
    """Faces found, one per face and frame."""
    restored: int
    skipped_sharp: int
    failed: int
    """Faces for which the network gave NaN: passed through unrestored."""
    engine: str
    detector: str
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def deblur_video(
    source: str | Path,
    target: str | Path,
    options: VideoOptions | None = None,
    *,
    on_progress: Callable[[Progress], object] | None = None,
    deblurrer: FaceDeblurrer | None = None,
    **settings: Unpack[VideoSettings],
) -> Summary:
    """Deblur the faces of `source` into `target`; every other stream, time stamp and tag is carried over.

    `settings` are flat fields of `VideoOptions`. `on_progress` is called after each frame. `deblurrer`: one to use again for many
    files (it is reset); otherwise one is opened. `target` appears when it is complete, and only then.

    Raises:
        InputError: the source cannot be read.
        OutputError: the target cannot be written, or exists and `overwrite` is not set.
        OptionError, NetworkError, EngineError, DetectorError: a setting cannot be used.
    """
    options = options.changed(**settings) if options else VideoOptions.load(**settings)
    if deblurrer is not None:
        _refuse_other_restoration(options.restoration, deblurrer)
    target = Path(target)
    check_source(source, allow_network=options.allow_network)
    check_target(source, target, overwrite=options.overwrite)
    reader = Reader(source, start=options.start, duration=options.duration, allow_network=options.allow_network)
    # (closed last: what is written is complete by then)
    with ExitStack() as opened:
        opened.callback(reader.close)
        # Everything that can be refused is refused before the networks are loaded.
        with Writer(target, reader, options.encoding, side_by_side=options.side_by_side) as writer:
            deblurrer = deblurrer or opened.enter_context(FaceDeblurrer(options.restoration, throughput=True))
            deblurrer.reset()
            began = time.monotonic()
            frames = _run(reader, deblurrer, writer, options, on_progress)
        seconds = time.monotonic() - began
    return _summary(source, target, frames, seconds, deblurrer, [*reader.warnings, *writer.warnings])


def _refuse_other_restoration(wanted: RestorationOptions, deblurrer: FaceDeblurrer) -> None:
    """Refuse settings that the deblurrer that is given would ignore."""
    differing = [name for name in wanted.model_fields_set if getattr(wanted, name) != getattr(deblurrer.options, name)]
    if differing:
        names = ", ".join(sorted(differing))
        raise OptionError(f"The given deblurrer has other values for: {names}. Set them where it is opened: FaceDeblurrer(...).")


def check_target(source: str | Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a target that is the source, a folder, or exists. Raises OutputError."""
    if target.is_dir():
        raise OutputError(f"{target} is a folder. Name a file in it, or give --out {target}.")
    if target.exists() and Path(source).exists() and os.path.samefile(source, target):
        raise OutputError(f"{target} is the input itself. Choose another name for the output.")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists. Give --overwrite (overwrite=True) to replace it.")


def _run(
    reader: Reader, deblurrer: FaceDeblurrer, writer: Writer, options: VideoOptions,
    on_progress: Callable[[Progress], object] | None,
) -> int:  # fmt: skip
    """Run the three stages to the end; returns the number of frames. The first error of any stage ends all and is raised."""
    decoded: Channel[Item] = Channel(QUEUED)
    restored: Channel[tuple[Any, av.VideoFrame | None]] = Channel(QUEUED)
    failures: list[BaseException] = []

    def stage(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except ChannelAbortedError:
                pass
            except BaseException as error:
                failures.append(error)
                decoded.abort()
                restored.abort()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def read() -> None:
        for item in reader:
            decoded.send(item)
        decoded.close()

    def write() -> None:
        for item, original in restored:
            if isinstance(item, av.VideoFrame):
                writer.write(beside(original, item) if original is not None else item)
            else:
                writer.copy(item)

    threads = [stage(read), stage(write)]
    frames = 0
    try:
        with suppress(ChannelAbortedError):
            for count, item, original in _restored(decoded, deblurrer, reader, options, on_progress):
                restored.send((item, original))
                frames = count
            restored.close()
        for thread in threads:
            thread.join()
    except BaseException:
        # the writer is about to throw its file away: no thread may still be writing to it
        decoded.abort()
        restored.abort()
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]
    return frames


def _restored(
    items: Iterable[Item],
    deblurrer: FaceDeblurrer,
    reader: Reader,
    options: VideoOptions,
    on_progress: Callable[[Progress], object] | None,
) -> Iterator[tuple[int, Any, av.VideoFrame | None]]:
    """Deblurred frames and other packets in order: number of frames so far, the item, and the original if it is to be shown."""
    originals: list[av.VideoFrame] = []

    def remembered() -> Iterator[Item]:
        for item in items:
            if options.side_by_side and isinstance(item, av.VideoFrame):
                originals.append(copy_frame(item))
            yield item

    began = time.monotonic()
    frames = 0
    for item in deblurrer.stream(remembered()):
        original = None
        if isinstance(item, av.VideoFrame):
            frames += 1
            original = originals.pop(0) if options.side_by_side else None
            if on_progress is not None:
                restored = deblurrer.statistics.restored
                on_progress(Progress(frames, reader.total_frames, time.monotonic() - began, restored))
        yield frames, item, original


def _summary(
    source: str | Path, target: Path, frames: int, seconds: float, deblurrer: FaceDeblurrer, warnings: list[str]
) -> Summary:
    statistics: Statistics = deblurrer.statistics
    if statistics.failed:
        warnings.append(f"the network gave no numbers (NaN) for {statistics.failed} faces: they were left as they were")
    return Summary(
        input=str(source),
        output=str(target),
        frames=frames,
        seconds=round(seconds, 3),
        fps=round(frames / seconds, 2) if seconds else 0.0,
        faces=statistics.faces,
        restored=statistics.restored,
        skipped_sharp=statistics.skipped_sharp,
        failed=statistics.failed,
        engine=deblurrer.engine.name,
        detector=deblurrer.detector.name,
        warnings=warnings,
    )
