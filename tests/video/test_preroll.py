"""What lies before a part is not decoded, but for what the first frames of the part need."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur.video import preroll
from streamdeblur.video.preroll import Preroll
from streamdeblur.video.reader import Reader


@dataclass
class Packet:
    """A packet as far as its place goes, in seconds."""

    dts: int | None
    is_keyframe: bool = False
    size: int = 1000
    time_base: Fraction = Fraction(1)


def decoded(begin, packets):
    """The times of the packets that are decoded, in order."""
    held = Preroll(Fraction(begin))
    return [packet.dts for one in packets for packet in held.push(one)]


@pytest.mark.parametrize(("begin", "first"), [(0, 0), (5, 0), (14, 4), (17, 4), (29, 16), (500, 96)])
def test_decoding_begins_at_the_last_key_frame_that_lies_ten_seconds_before(begin, first):
    packets = [Packet(n, is_keyframe=n % 4 == 0) for n in range(100)]
    assert decoded(begin, [*packets, Packet(None, size=0)]) == [*range(first, 100), None]


def test_without_key_frames_everything_is_decoded():
    packets = [Packet(None if n == 7 else n) for n in range(100)]
    assert decoded(50, packets) == [packet.dts for packet in packets]


def test_no_more_is_held_back_than_the_limit(monkeypatch):
    monkeypatch.setattr(preroll, "MOST_BYTES", 20_500)
    held = Preroll(Fraction(90))
    counts = [len(held.push(Packet(n, is_keyframe=n == 0))) for n in range(30)]
    assert counts == [0] * 20 + [21] + [1] * 9


def test_a_list_of_segments_is_sought(tmp_path):
    """Of a long film in segments, those before a part need not be read."""
    pictures = [np.full((48, 64, 3), 5 * (n // 25), np.uint8) for n in range(40 * 25)]
    with av.open(str(tmp_path / "film.m3u8"), "w", format="hls", options={"hls_time": "2", "hls_list_size": "0"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "25", "preset": "ultrafast", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    for number in range(2, 8):
        (tmp_path / f"film{number}.ts").unlink()
    reader = Reader(tmp_path / "film.m3u8", start=30, duration=0.2, allow_network=True)
    frames = [item for item in reader if isinstance(item, av.VideoFrame)]
    reader.close()
    assert [round(frame.to_ndarray(format="gray").mean() / 5) for frame in frames] == [30] * 5
