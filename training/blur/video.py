"""blur_video: pairs of blurry and sharp frames from a video file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import av
import numpy as np

from streamdeblur.errors import InputError
from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.find import FaceFinder
from streamdeblur.faces.window import whole_picture
from streamdeblur.jobs.summary import log_warnings
from streamdeblur.training.blur.averaging import SHORTEST
from streamdeblur.training.blur.observation import Observer
from streamdeblur.training.blur.options import BlurOptions
from streamdeblur.training.blur.pair_files import PairSink, open_sink
from streamdeblur.training.blur.streaming import Frame, StreamExposer
from streamdeblur.video.parts import part_of
from streamdeblur.video.planes import upright_planes
from streamdeblur.video.reader import Reader
from streamdeblur.video.turning import turned_box

SMALLEST_SIDE = 32
"""Shortest side in pixels of frames that are blurred."""


@dataclass(frozen=True)
class BlurSummary:
    """What `blur_video` did."""

    input: str
    output: str
    frames: int
    pairs: int
    mean_length: float
    """Mean number of frames of an average."""
    stopped_by: dict[str, int]
    """Number of averages that each rule ended."""
    seconds: float
    warnings: list[str] = field(default_factory=list)


def blur_video(
    source: Path,
    target: Path,
    options: BlurOptions | None = None,
    *,
    video: bool,
    on_progress: Callable[[int, int | None], object] | None = None,
) -> BlurSummary:
    """Blur a video into pairs of blurry and sharp frames.

    Of a video that is stored turned, pictures are upright and videos keep its rotation. `target` appears when it is complete.
    Warnings are logged, and returned in the summary.

    Args:
        source: The video.
        target: A folder for PNG files, or with `video` the blurry video; its sharp counterpart is written beside it.
        options: Settings; None for the defaults.
        video: Write videos instead of PNG files.
        on_progress: Called with the number of frames read and their total, as far as the file states it.

    Raises:
        InputError: The source cannot be read, or holds too few frames for any pair.
        OutputError: The target cannot be written, or exists and `overwrite` is not set.
        OptionError: A setting cannot be used.
        DetectorError: The face detector cannot be opened.
    """
    options = options or BlurOptions()
    exposer = StreamExposer(options)
    start, duration = part_of(source, options)
    reader = Reader(source, start=start, duration=duration)
    began = time.monotonic()
    try:
        _check_size(reader)
        with open_sink(target, reader, options, video=video) as sink:
            frames = _Frames(reader, options, sink, on_progress)
            lengths, stopped = [], Counter[str]()
            for frame, pair in exposer.expose(frames):
                sink.write(frame, pair)
                lengths.append(pair.record["length"])
                stopped[pair.record.get("stopped_by", str(options.scheme))] += 1
            if not lengths:
                raise InputError(_why_nothing(source, options, frames))
    finally:
        reader.close()
    seconds = round(time.monotonic() - began, 3)
    mean = round(float(np.mean(lengths)), 2)
    warnings = [*reader.warnings, *sink.warnings]
    log_warnings(source.name, warnings)
    return BlurSummary(str(source), str(target), frames.count, len(lengths), mean, dict(stopped), seconds, warnings)


class _Frames:
    """The frames of a video for a `StreamExposer`; packets of other streams go to the sink as they come."""

    def __init__(
        self, reader: Reader, options: BlurOptions, sink: PairSink, on_progress: Callable[[int, int | None], object] | None
    ) -> None:
        self.count, self.distinct = 0, 0
        self._reader, self._sink, self._on_progress = reader, sink, on_progress
        self._observer = Observer()
        self._finder: FaceFinder | None = None
        if options.scheme.kind == "vla":
            self._finder = FaceFinder(open_detector(options.detector), min_face=options.min_face)

    def __iter__(self) -> Iterator[Frame]:
        for item in self._reader:
            if not isinstance(item, av.VideoFrame):
                self._sink.copy(item)
                continue
            frame = self._observed(item)
            self.count += 1
            self.distinct += not frame.observation.repeated
            if self._on_progress is not None:
                self._on_progress(self.count, self._reader.total_frames)
            yield frame

    def _observed(self, decoded: av.VideoFrame) -> Frame:
        planes = upright_planes(decoded)
        pixels = whole_picture(planes)
        boxes = {}
        if self._finder is not None:
            # the parts of a face lie in its box as they do where it is upright
            turned = partial(turned_box, turn=planes.turn, width=planes.width, height=planes.height)
            boxes = {track.track_id: turned(track.box) for track in self._finder.update(planes)}
        return Frame(self._observer(pixels, boxes), pixels, decoded)


def _check_size(reader: Reader) -> None:
    first = reader.first_frame
    if min(first.width, first.height) < SMALLEST_SIDE:
        raise InputError(
            f"{reader.source} is too small to blur: {first.width}x{first.height}, at least {SMALLEST_SIDE} px are needed."
        )


def _why_nothing(source: Path, options: BlurOptions, frames: _Frames) -> str:
    wanted = options.scheme.length or SHORTEST
    if frames.distinct < wanted:
        repeated = f" that differ ({frames.count} in all)" if frames.count != frames.distinct else ""
        return f"{source} has too few frames: {frames.distinct}{repeated}; {options.scheme} averages at least {wanted}."
    return f"{source}: no {wanted} frames in a row without a cut, or nothing that {options.scheme} could average."
