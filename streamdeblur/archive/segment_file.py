"""SegmentFile: the encoded frames of a segment as the encoder made them, until all segments of a video are joined.

A container would round their time stamps, or leave out their durations. So the packets stand in the file one after the other, and
at its end what describes them, as JSON, and the length of that in 8 bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from streamdeblur.errors import InputError
from streamdeblur.options import EncodingOptions
from streamdeblur.partial_file import PartialFile
from streamdeblur.statistics import RestorationStatistics
from streamdeblur.video.reader import Reader
from streamdeblur.video.writer import Writer

if TYPE_CHECKING:
    import av

LENGTH_BYTES = 8


@dataclass(frozen=True)
class EncodedPacket:
    """A packet of a segment, without its bytes."""

    size: int
    pts: int
    dts: int
    duration: int
    is_keyframe: bool


@dataclass(frozen=True)
class SegmentContent:
    """What a segment file says of its packets, and of how they were made."""

    time_base: tuple[int, int]
    """Numerator and denominator, of all stamps."""
    encoder: str
    shape: tuple[str, int, int]
    """Pixel format, width and height."""
    extradata: str
    """Parameters of the codec that stand in the header of a video, in hexadecimal digits."""
    packets: list[EncodedPacket] = field(repr=False)
    """In the order of decoding."""
    statistics: RestorationStatistics
    network: str
    engine: str
    detector: str
    seconds: float
    """Working time."""
    warnings: list[str]

    @property
    def kind(self) -> tuple[object, ...]:
        """What all segments of a video must have in common."""
        return self.time_base, self.encoder, self.shape, self.extradata

    @classmethod
    def parsed(cls, text: bytes) -> SegmentContent:
        """Return the content that a segment file states."""
        values = json.loads(text)
        counts = values.pop("statistics")
        for name, count in counts.items():
            counts[name] = {int(key): number for key, number in count.items()} if isinstance(count, dict) else count
        packets = [EncodedPacket(*packet) for packet in values.pop("packets")]
        for name in ("time_base", "shape"):
            values[name] = tuple(values[name])
        return cls(packets=packets, statistics=RestorationStatistics(**counts), **values)

    def text(self) -> bytes:
        """Return the content as it stands in a segment file."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        packets = [list(vars(packet).values()) for packet in self.packets]
        return json.dumps(values | {"packets": packets, "statistics": asdict(self.statistics)}).encode()


class SegmentFile:
    """A segment file that is complete."""

    def __init__(self, path: Path) -> None:
        """Read what the file says of its packets.

        Raises:
            InputError: The file cannot be read.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                file.seek(-LENGTH_BYTES, 2)
                length = int.from_bytes(file.read(LENGTH_BYTES), "big")
                file.seek(-LENGTH_BYTES - length, 2)
                self.content = SegmentContent.parsed(file.read(length))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"Cannot read the segment {path}: {error}. Delete it, and run the same command again.") from None

    def packets(self) -> Iterator[tuple[EncodedPacket, bytes]]:
        """Yield the packets with their bytes."""
        with self.path.open("rb") as file:
            for packet in self.content.packets:
                yield packet, file.read(packet.size)


class SegmentWriter(Writer):
    """Encodes the frames of a segment as `Writer` does those of a whole video, and keeps the packets in a segment file."""

    def __init__(
        self, path: Path, target: Path, reader: Reader, encoding: EncodingOptions, *, side_by_side: bool, threads: int
    ) -> None:
        """Choose the encoder, and open the file.

        Args:
            path: The segment file.
            target: The video that it becomes a part of.
            reader: The source.
            encoding: Encoder, quality and preset.
            side_by_side: The frames to write are twice as wide as those of the source.
            threads: Threads of the encoder.
        """
        self.path = path
        self._packets: list[EncodedPacket] = []
        self._base = Fraction(1)
        self._file: BinaryIO | None = None
        self._summary: dict[str, object] = {}
        super().__init__(target, reader, encoding, side_by_side=side_by_side, threads=threads)

    def describe(self, statistics: RestorationStatistics, **values: object) -> None:
        """Say how the segment was made: other fields of `SegmentContent`."""
        self._summary = {"statistics": statistics, **values}

    @property
    def moved(self) -> int:
        """Number of frames whose time stamps the encoder could not express."""
        return self._moved

    def _partial_file(self) -> PartialFile:
        return PartialFile(self.path, exclusive=True)

    def _muxed(self) -> Path:
        # never written: it tells the muxer, whose needs the encoder knows
        return self.partial.path.with_name(self.partial.path.name + self.target.suffix)

    def _add_streams(self) -> None:
        self.stream = self._video_stream()
        self._file = self.partial.path.open("wb")

    def _keep(self, packets: Sequence[av.Packet[av.VideoStream]]) -> None:
        assert self._file is not None
        for packet in packets:
            assert packet.pts is not None
            assert packet.dts is not None
            self._base = packet.time_base
            self._file.write(bytes(packet))
            self._packets.append(
                EncodedPacket(packet.size, packet.pts, packet.dts, packet.duration or 0, bool(packet.is_keyframe))
            )  # fmt: skip

    def _finish(self) -> None:
        assert self._file is not None
        context = self.stream.codec_context
        text = SegmentContent(
            time_base=self._base.as_integer_ratio(),
            encoder=context.name,
            shape=(str(context.pix_fmt), context.width, context.height),
            extradata=(context.extradata or b"").hex(),
            packets=self._packets,
            warnings=self.warnings,
            **self._summary,  # type: ignore[arg-type]  # the fields that `describe` was given
        ).text()
        self._file.write(text + len(text).to_bytes(LENGTH_BYTES, "big"))
        self._file.close()
        self._muxer.abandon()

    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()
        super()._abandon()
