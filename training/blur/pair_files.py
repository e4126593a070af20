"""Output of `blur_video`: a folder of PNG files, or a blurry video beside its sharp counterpart; each with a JSON file of what
was averaged.

Both appear under their names when they are complete.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import OutputError
from streamdeblur.files import fitting_name, refuse_existing, refuse_inputs
from streamdeblur.options import EncodingOptions, StreamOptions
from streamdeblur.partial_file import PartialFile, writing
from streamdeblur.partial_folder import PartialFolder
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.options import BlurOptions
from streamdeblur.training.blur.streaming import Frame
from streamdeblur.video.colour import FULL_RANGE, LIMITED_RANGE, luma_coefficients
from streamdeblur.video.copying import copy_tags
from streamdeblur.video.reader import Reader
from streamdeblur.video.turning import turn_of, turned_picture
from streamdeblur.video.writer import Writer

if TYPE_CHECKING:
    import av

RECORDS = "pairs.json"
"""Name of the records in a folder of pairs; beside a video they have the video's name."""


class PairSink(Protocol):
    """Takes pairs one after the other; a context manager that completes or removes what was written."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the output."""

    def write(self, frame: Frame, pair: Pair) -> None:
        """Write the pair around this frame. Raises OutputError."""

    def copy(self, packet: av.Packet[Any]) -> None:
        """Write a packet of another stream, where the output has other streams."""


def open_sink(target: Path, reader: Reader, options: BlurOptions, *, video: bool) -> PairSink:
    """Open the output of `blur_video`.

    Args:
        target: A folder, or with `video` the blurry video.
        reader: The source.
        options: Settings of the blur and of the encoder.
        video: Write a video and its sharp counterpart.

    Raises:
        OutputError: The target exists and `overwrite` is not set, or it cannot be written.
        OptionError: The encoder cannot be used.
    """
    return PairVideo(target, reader, options) if video else PairFolder(target, reader, options)


class Records:
    """A JSON file of how the pairs were made, written line by line."""

    def __init__(self, path: Path, source: Path, options: BlurOptions) -> None:
        head = {"source": str(source), "scheme": str(options.scheme), "response": options.response, "seed": options.seed}
        self._file = path.open("w", encoding="utf-8")
        self._file.write(json.dumps(head)[:-1] + ', "pairs": [')
        self._before = "\n"

    def add(self, frame: Frame, pair: Pair, **more: Any) -> None:
        """Add the record of the pair around this frame."""
        decoded = frame.decoded
        seconds = float(decoded.pts * decoded.time_base) if decoded.pts is not None and decoded.time_base else None
        record = {"frame": frame.number, "seconds": seconds, **more, **pair.record}
        self._file.write(self._before + json.dumps(record))
        self._before = ",\n"

    def complete(self) -> None:
        """End the JSON and close the file."""
        self._file.write("\n]}\n")
        self._file.close()

    def abandon(self) -> None:
        # what is abandoned need not be complete
        """Close the file."""
        with suppress(OSError):
            self._file.close()


class PairFolder:
    """``000012_blurry.png`` and ``000012_sharp.png`` for frame 12, and ``pairs.json``."""

    def __init__(self, target: Path, reader: Reader, options: BlurOptions) -> None:
        refuse_inputs(target, reader.source)
        if target.exists():
            _check_replaceable(target, overwrite=options.overwrite)
        self._target = target
        with ExitStack() as undo, writing(target):
            self._partial = PartialFolder(target)
            undo.callback(self._partial.discard)
            self._records = Records(self._partial.path / RECORDS, Path(reader.source), options)
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def write(self, frame: Frame, pair: Pair) -> None:
        """Write the two pictures of a pair. Raises OutputError."""
        stem = f"{frame.number:06d}"
        with writing(self._target):
            names = {"blurry": f"{stem}_blurry.png", "sharp": f"{stem}_sharp.png"}
            self._save(names["blurry"], pair.blurry)
            self._save(names["sharp"], pair.sharp)
            self._records.add(frame, pair, **names)

    def copy(self, packet: av.Packet[Any]) -> None:
        """Do nothing: pictures have no other streams."""

    @property
    def warnings(self) -> list[str]:
        """Nothing: pictures lose nothing that a user would miss."""
        return []

    def _save(self, name: str, pixels: NDArray[np.uint8]) -> None:
        _, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        (self._partial.path / name).write_bytes(data.tobytes())

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                with writing(self._target):
                    self._records.complete()
                self._partial.complete()
        finally:
            self._records.abandon()
            self._partial.discard()


class PairVideo:
    """A blurry video, its sharp counterpart ``NAME.sharp.SUFFIX`` with the same time stamps, and ``NAME.json``."""

    def __init__(self, target: Path, reader: Reader, options: BlurOptions) -> None:
        self._target, self._json = target, target.with_name(fitting_name(target.stem, ".json"))
        self._sharp_target = target.with_name(fitting_name(target.stem, f".sharp{target.suffix}"))
        for path in (self._target, self._sharp_target, self._json):
            refuse_inputs(path, reader.source)
            refuse_existing(path, overwrite=options.overwrite)
        encoding = EncodingOptions(codec=options.codec, quality=options.quality)
        streams = StreamOptions(**{name: getattr(options, name) for name in StreamOptions.model_fields})
        with ExitStack() as opened:
            self._blurry = Writer(self._target, reader, encoding, streams)
            opened.push(self._blurry)
            self._sharp = Writer(self._sharp_target, reader, encoding, streams)
            opened.push(self._sharp)
            self._partial = PartialFile(self._json)
            opened.callback(self._partial.discard)
            with writing(self._json):
                self._records = Records(self._partial.path, Path(reader.source), options)
            opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def write(self, frame: Frame, pair: Pair) -> None:
        """Encode the two frames of a pair. Raises OutputError or OptionError."""
        self._blurry.write(_like(frame.decoded, pair.blurry))
        self._sharp.write(frame.decoded)
        with writing(self._json):
            self._records.add(frame, pair)

    def copy(self, packet: av.Packet[Any]) -> None:
        """Copy the packet to both videos."""
        self._blurry.copy(packet)
        self._sharp.copy(packet)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of both videos, which is the same."""
        return self._blurry.warnings

    def __exit__(self, kind: type[BaseException] | None, *details: Any) -> None:
        try:
            if kind is None:
                self._complete()
            else:
                self._blurry.__exit__(kind, *details)
                self._sharp.__exit__(kind, *details)
        finally:
            self._records.abandon()
            self._partial.discard()

    def _complete(self) -> None:
        """Complete one file after the other; where one fails, those before it are removed."""
        with ExitStack() as undo:
            with self._sharp:
                with self._blurry, writing(self._json):
                    self._records.complete()
                undo.callback(self._target.unlink)
            undo.callback(self._sharp_target.unlink)
            self._partial.complete()
            undo.pop_all()


def _like(decoded: av.VideoFrame, pixels: NDArray[np.uint8]) -> av.VideoFrame:
    """Convert upright RGB pixels to a frame with the pixel format, colours, turn and time of a decoded one."""
    import av

    spaces = {0.2126: "itu709", 0.2627: "bt2020", 0.212: "smpte240m", 0.30: "fcc"}
    red, _ = luma_coefficients(int(decoded.colorspace), decoded.height)
    full = decoded.color_range == FULL_RANGE or decoded.format.name.startswith("yuvj")
    stored = turned_picture(pixels, -turn_of(decoded))
    frame = av.VideoFrame.from_ndarray(stored, format="rgb24").reformat(
        format=decoded.format.name,
        dst_colorspace=spaces.get(red, "itu601"),
        dst_color_range=FULL_RANGE if full else LIMITED_RANGE,
    )
    copy_tags(decoded, frame)
    return frame


def _check_replaceable(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that exists, unless it is a folder that this command made and `overwrite` is set."""
    if not target.is_dir():
        raise OutputError(f"{target} is a file, not a folder. Name another folder.")
    if not any(target.iterdir()):
        return
    refuse_existing(target, overwrite=overwrite)
    if not (target / RECORDS).is_file():
        raise OutputError(
            f"{target} holds other files than pairs ({RECORDS} is missing): it is not replaced. Name another folder."
        )
