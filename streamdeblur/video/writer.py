"""Writer: encodes frames and writes them with all other streams, under a temporary name until the file is complete."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from streamdeblur.cores import plan_threads
from streamdeblur.errors import NoReaderError, OptionError, OutputError
from streamdeblur.options import EncodingOptions, StreamOptions
from streamdeblur.partial_file import NO_SPACE, Partial, PartialFile, cannot_write
from streamdeblur.video.clock import time_offset
from streamdeblur.video.conversion import fitted
from streamdeblur.video.description import StreamTags, describe, interlacing_warning, rotation_warning
from streamdeblur.video.encoders import SUFFIXES, choose_encoder, choose_pixel_format, configure, set_threads
from streamdeblur.video.hdr import dynamic_metadata, has_unreadable_metadata
from streamdeblur.video.metadata import describe_file, time_scales
from streamdeblur.video.muxer import Muxer
from streamdeblur.video.reader import Reader
from streamdeblur.video.scheduling import scheduling_kept
from streamdeblur.video.streams import OtherStream, add_other_stream, copy_description

if TYPE_CHECKING:
    import av

FRAME_DURATION = 1 << 8
"""AV_CODEC_FLAG_FRAME_DURATION: packets keep the durations of their frames."""

COARSE_TIME_BASE = {"mpeg4": 65535, "mpeg2video": None, "libxvid": 65535}
"""Encoders with a limit on the denominator of the time base; None: the frame rate only."""


CONSTANT_RATE = ("avi", "yuv4mpegpipe")
"""FFmpeg's names of the containers without time stamps."""

LARGEST_DURATION = 2**31 - 1
"""Ticks of a frame's duration that muxers take."""


class Writer:
    """Writes one video file, as a context manager: its end completes and renames the file, an error removes it."""

    def __init__(
        self,
        target: Path,
        reader: Reader,
        encoding: EncodingOptions,
        streams: StreamOptions | None = None,
        *,
        side_by_side: bool = False,
        threads: int | None = None,
    ) -> None:
        """Choose the encoder and pixel format, and open the file; nothing is encoded yet.

        Args:
            target: The file to write; its suffix chooses the container.
            reader: The source, of which all streams and metadata are carried over.
            encoding: Encoder, quality and preset.
            streams: What happens to the streams beside the video; None for the defaults.
            side_by_side: The frames to write are twice as wide as those of the source.
            threads: Threads of the encoder; by default those of a job that may use all cores of the process.

        Raises:
            OptionError: The encoder, quality or preset cannot be used.
            OutputError: The folder or this kind of file cannot be written.
        """
        import av

        self.target, self.reader = target, reader
        self._encoding, self._streams, self._side_by_side = encoding, streams or StreamOptions(), side_by_side
        self._threads = plan_threads("file").encoder if threads is None else threads
        self.warnings: list[str] = self._streams.unused()
        self._last_ticks: int | None = None
        self._moved = 0
        self._others: dict[int, OtherStream] = {}
        kind = self._kind()
        self.partial = self._partial_file()
        try:
            self.container = av.open(str(self._muxed()), "w", format=kind, options=self._options())
            self._muxer = Muxer(self.container)
            self.offset = time_offset(self.container, reader)
            """Seconds that are subtracted from all time stamps of the source."""
        except BaseException as error:
            self.partial.discard()
            if isinstance(error, ValueError | av.FFmpegError):
                raise OutputError(f"This FFmpeg cannot write {kind or target.suffix} files.") from None
            raise
        try:
            with self._explained(encoding=True):
                describe_file(self.container, reader, self.warnings)
                self._add_streams()
        except BaseException:
            # the caller gets no object to close, so the unfinished file is removed here, after Ctrl-C and exits, too
            self._abandon()
            raise

    def __repr__(self) -> str:
        return f"Writer({str(self.target)!r})"

    def _kind(self) -> str | None:
        """FFmpeg's name of the container; None for that of the suffix."""
        suffix = self.target.suffix.lower()
        if suffix not in SUFFIXES:
            known = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            raise OutputError(f"Unknown kind of video file '{self.target.name}'. Use {known}; or - for stdout.")
        # FFmpeg has a muxer for .m4v, which takes fewer codecs and no pictures
        return "mp4" if suffix == ".m4v" else None

    def _options(self) -> dict[str, str]:
        """Options of the muxer."""
        suffix = self.target.suffix.lower()
        brand = {"brand": "M4V "} if suffix == ".m4v" else {}
        return time_scales(self.reader) | brand if suffix in (".mp4", ".mov", ".m4v") else {}

    def _partial_file(self) -> Partial:
        return PartialFile(self.target, exclusive=True)

    def _muxed(self) -> Path:
        """The file that the muxer makes when its header is written."""
        return self.partial.path

    def _video_stream(self) -> av.VideoStream:
        import av

        frame, source = self.reader.first_frame, self.reader.stream
        codec = choose_encoder(self._encoding.codec, source.codec_context.codec.canonical_name, self.container)
        stream = self.container.add_stream(codec.name, rate=source.average_rate or source.guessed_rate or 25)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.pix_fmt = choose_pixel_format(frame.format.name, codec, self.container.format.name)
        if context.pix_fmt != frame.format.name:
            lost = " (alpha is lost)" if _has_alpha(frame.format) and not _has_alpha(av.VideoFormat(context.pix_fmt)) else ""
            self.warnings.append(f"{codec.name} does not take {frame.format.name}: written as {context.pix_fmt}{lost}")
        context.width, context.height = self._size(frame, context.pix_fmt)
        context.time_base = self._time_base(codec.name)
        stream.time_base = context.time_base
        context.flags |= FRAME_DURATION
        context.thread_type = "AUTO"
        configure(context, codec.name, self._encoding.quality, self._encoding.preset)
        set_threads(context, self._threads)
        describe(stream, frame, StreamTags.of(source))
        if frame.interlaced_frame:
            self.warnings.append(interlacing_warning(codec.name))
        if turned := rotation_warning(self.container.format.name, frame):
            self.warnings.append(turned)
        if has_unreadable_metadata(frame):
            self.warnings.append("the metadata of the frames cannot be read: HDR metadata, if there is any, was not carried over")
        if dynamic_metadata(frame):
            self.warnings.append(f"per-frame HDR metadata was not carried over: {', '.join(dynamic_metadata(frame))}")
        copy_description(source, stream)
        return stream

    def _size(self, frame: av.VideoFrame, pixel_format: str) -> tuple[int, int]:
        """Frame size, padded by a line or column where the encoder's chroma needs even ones."""
        import av

        shape = av.VideoFormat(pixel_format)
        columns, lines = 16 // shape.chroma_width(16), 16 // shape.chroma_height(16)
        width = frame.width * (2 if self._side_by_side else 1)
        padded = -(-width // columns) * columns, -(-frame.height // lines) * lines
        if padded == (width, frame.height) or self._takes_odd_sizes():
            return width, frame.height
        self.warnings.append(f"{width}x{frame.height} is padded to {padded[0]}x{padded[1]}: {pixel_format} needs even sizes")
        return padded

    def _takes_odd_sizes(self) -> bool:
        """Whether the chosen codec keeps odd sizes as they are."""
        return self.container.streams.video[0].codec_context.name in ("ffv1", "libvpx-vp9", "libvpx", "mjpeg", "rawvideo")

    def _time_base(self, encoder: str) -> Fraction:
        source = self.reader.stream
        base = source.time_base or Fraction(1, 90000)
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        limit = COARSE_TIME_BASE.get(encoder, 0)
        if self.container.format.name in CONSTANT_RATE or limit is None:
            if source.guessed_rate and source.average_rate and abs(source.guessed_rate / source.average_rate - 1) > 0.01:
                self.warnings.append("this kind of file cannot express the source's variable frame rate: it was made constant")
            return 1 / rate if not limit or rate.numerator <= limit else Fraction(1, min(limit, round(rate)))
        if limit and base.denominator > limit:
            return 1 / rate if rate.numerator <= limit else Fraction(1, 60000)
        return base

    def _add_streams(self) -> None:
        """Add the counterparts of all streams of the source, in its order."""
        for source in self.reader.container.streams:
            if source.index == self.reader.stream.index:
                self.stream = self._video_stream()
                continue
            other = add_other_stream(self.container, self._muxer, source, self.reader, self._streams, self.warnings)
            if other is not None:
                self._others[source.index] = other

    def __enter__(self) -> Writer:
        return self

    def write(self, frame: av.VideoFrame) -> None:
        """Encode one frame.

        Raises:
            OptionError: The encoder does not take the frame, or its device is missing.
            OutputError: The file cannot be written.
        """
        with self._explained(encoding=True):
            context = self.stream.codec_context
            frame = fitted(frame, context.width, context.height, str(context.pix_fmt))
            if self.offset and frame.pts is not None and frame.time_base:
                frame.pts -= round(self.offset / frame.time_base)
            self._let_rise(frame)
            # the source's picture type would force that of the encoder
            frame.pict_type = 0
            self._open_encoder()
            packets = self.stream.encode(frame)
        with self._explained():
            self._keep(packets)

    def _keep(self, packets: Sequence[av.Packet[av.VideoStream]]) -> None:
        """Write what the encoder has made."""
        self._muxer.mux(packets)  # type: ignore[arg-type]  # packets of video are packets

    def _let_rise(self, frame: av.VideoFrame) -> None:
        """Move a frame by a tick whose time is that of the one before in the encoder's time base, which may be coarse."""
        base = self.stream.codec_context.time_base
        if frame.pts is None or not frame.time_base or not base:
            return
        ticks = math.floor(frame.pts * frame.time_base / base + Fraction(1, 2))
        if self._last_ticks is not None and ticks <= self._last_ticks:
            ticks = self._last_ticks + 1
            frame.pts, frame.time_base = ticks, base
            self._moved += 1
        self._last_ticks = ticks
        if frame.duration and frame.duration > LARGEST_DURATION:
            frame.duration = 0

    def copy(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Write a packet of another stream of the source.

        Raises:
            OutputError: The file cannot be written.
        """
        other = self._others.get(packet.stream_index)
        if other is not None:
            with self._explained(encoding=True):
                # the header, which is written now, describes the encoder
                self._open_encoder()
            with self._explained():
                other.write(packet)

    def _open_encoder(self) -> None:
        """Open the encoder, if it is not open."""
        context = self.stream.codec_context
        if not context.is_open:
            with scheduling_kept():
                context.open(strict=False)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            with self._explained(encoding=True):
                packets = self._last_packets()
            with self._explained():
                self._keep(packets)
                for other in self._others.values():
                    other.write(None)
                    self.warnings += other.close()
                if self._moved:
                    counted = "1 frame was" if self._moved == 1 else f"{self._moved} frames were"
                    self.warnings.append(f"{counted} moved: the times are closer together than the output can express")
                self._finish()
                self.partial.complete()
        except BaseException:
            # whatever interrupts the end, Ctrl-C and exits included, must not leave an unfinished file behind
            self._abandon()
            raise

    def _last_packets(self) -> Sequence[av.Packet[av.VideoStream]]:
        return self.stream.encode(None)

    def _finish(self) -> None:
        self._muxer.finish()

    def _abandon(self) -> None:
        self._muxer.abandon()
        self.partial.discard()

    @contextmanager
    def _explained(self, *, encoding: bool = False) -> Iterator[None]:
        """Turn FFmpeg's errors into OutputError; those while `encoding` into OptionError where a setting may be the cause."""
        import av

        try:
            yield
        except (av.FFmpegError, OSError) as error:
            refused = isinstance(error, av.ExternalError | av.ArgumentError | av.UnknownError | av.EncoderNotFoundError)
            # A hardware encoder without its device fails with "operation not permitted".
            refused |= error.errno in (errno.EPERM, errno.ENODEV, errno.ENXIO, errno.ENOSYS)
            if error.errno == errno.EPIPE:
                raise NoReaderError(f"The program that read {self.target} has ended.") from error
            if encoding and refused and error.errno not in NO_SPACE:
                codec = self.container.streams.video[0].codec_context.name if self.container.streams.video else "the encoder"
                raise OptionError(
                    f"{codec} cannot write this video ({error.strerror or error}). "
                    "Check --codec, --quality and --preset, and its device."
                ) from error
            raise cannot_write(self.target, error) from error


def _has_alpha(pixel_format: av.VideoFormat) -> bool:
    return any(component.is_alpha for component in pixel_format.components)
