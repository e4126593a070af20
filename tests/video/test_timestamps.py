"""Time stamps that are wrong: on plain numbers, and in files from end to end."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur import deblur_video
from streamdeblur.errors import InputError
from streamdeblur.video.reader import Reader
from streamdeblur.video.timestamps import ContinuousStamps, FrameStamps
from support.media.videos import VideoSpec, read_frames, stamps, write_video

VIDEO, AUDIO, TEXT = 0, 1, 2
MILLISECOND = Fraction(1, 1000)


@dataclass
class Packet:
    """A packet as far as its stamps go, in milliseconds."""

    stream_index: int
    dts: int | None
    duration: int = 40
    pts: int | None = None
    time_base: Fraction = MILLISECOND

    def __post_init__(self):
        self.pts = self.dts if self.pts is None else self.pts


def video(*times):
    return [Packet(VIDEO, time) for time in times]


def interleaved(seconds, begin=0, audio_ahead=0):
    """Packets of video (25 per second) and audio (50 per second) in the order of time."""
    packets = [Packet(VIDEO, begin + 40 * n) for n in range(25 * seconds)]
    packets += [Packet(AUDIO, begin + audio_ahead + 20 * n, 20) for n in range(50 * seconds)]
    return sorted(packets, key=lambda packet: (packet.dts, packet.stream_index))


def continuous(packets, *, skips=True):
    """(decoding stamps by stream, the object)."""
    stamps = ContinuousStamps({VIDEO, AUDIO}, skips=skips)
    result: dict[int, list] = {}
    for packet in stamps.apply(packets):
        result.setdefault(packet.stream_index, []).append(packet.dts)
    return result, stamps


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("begin", [0, 5000, -3000, 700])
def test_joined_parts_follow_one_another_in_all_streams(skips, begin):
    result, found = continuous(interleaved(2, begin=1400) + interleaved(2, begin), skips=skips)
    if begin == 5000:
        # a short way forward is a gap in the recording, and stays one
        assert (found.jumps, result[VIDEO][50]) == (0, 5000)
        return
    assert found.jumps == 1
    assert result[VIDEO] == [1400 + 40 * n for n in range(100)]
    assert result[AUDIO] == [1400 + 20 * n for n in range(200)]


def test_a_long_way_forward_is_a_jump_in_broadcasts_and_a_pause_elsewhere():
    packets = [*interleaved(1), *interleaved(1, begin=3_600_000)]
    result, found = continuous(packets, skips=True)
    assert (found.jumps, result[VIDEO], result[AUDIO][50]) == (1, [40 * n for n in range(50)], 1000)
    packets = [*interleaved(1), *interleaved(1, begin=3_600_000)]
    result, found = continuous(packets, skips=False)
    assert (found.jumps, result[VIDEO][25], result[AUDIO][50]) == (0, 3_600_000, 3_600_000)


def test_a_late_packet_of_the_first_part_stays_with_it():
    first, second = interleaved(1, begin=1400), interleaved(1, begin=1400)
    late = [packet for packet in first if packet.stream_index == AUDIO][-3:]
    packets = [p for p in first if p not in late] + second[:4] + late + second[4:]
    assert [p.stream_index for p in second[:4]].count(AUDIO) == 2
    # audio of the second part that came before the late packets stays where it belongs, too
    packets = [p for p in packets if p not in second[:4] or p.stream_index == VIDEO]
    result, found = continuous(packets)
    assert found.jumps == 1
    assert result[VIDEO] == [1400 + 40 * n for n in range(50)]
    assert sorted(result[AUDIO]) == result[AUDIO]


def test_streams_stay_in_step_where_audio_of_a_part_is_longer():
    """The offset leaves room for it, for it must be one for all."""
    longer = [Packet(AUDIO, 1000 + 20 * n, 20) for n in range(15)]
    result, found = continuous([*interleaved(1), *longer, *interleaved(1)])
    assert found.jumps == 1
    assert result[VIDEO][25] == result[AUDIO][65] == 1300


def test_the_delay_of_b_frames_and_the_lead_of_audio_leave_no_gap():
    """Audio runs as far as the pictures are shown, which is later than they are decoded."""

    def part():
        pictures = [Packet(VIDEO, 1400 + 40 * n, 40, 1480 + 40 * n) for n in range(25)]
        audio = [Packet(AUDIO, 1457 + 20 * n, 20) for n in range(53)]
        return sorted([*pictures, *audio], key=lambda packet: packet.dts)

    result, found = continuous([*part(), *part()])
    assert found.jumps == 1
    assert result[VIDEO] == [1400 + 40 * n for n in range(50)]
    assert result[AUDIO][53] - result[AUDIO][0] == result[VIDEO][25] - result[VIDEO][0]


def test_sparse_streams_go_with_the_others():
    def part():
        return sorted([*interleaved(2), Packet(TEXT, 110, 300), Packet(TEXT, 1510, 300)], key=lambda packet: packet.dts)

    result, found = continuous([*part(), *part()])
    assert found.jumps == 1
    assert result[TEXT] == [110, 1510, 2110, 3510]


def test_three_parts_and_a_clock_that_is_set_back_a_little():
    result, found = continuous(interleaved(1) + interleaved(1) + interleaved(1, begin=850))
    assert found.jumps == 2
    assert result[VIDEO] == [40 * n for n in range(75)]
    assert result[AUDIO] == [20 * n for n in range(150)]


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("bad", [-90_000, 0, 200, 1100, 3000, 50_000, 3_600_000_000])
@pytest.mark.parametrize("count", [1, 2])
def test_single_bad_packets_never_move_the_others(skips, bad, count):
    packets = interleaved(2)
    chosen = [packet for packet in packets if packet.stream_index == VIDEO][20 : 20 + count]
    for packet in chosen:
        packet.dts, packet.pts = bad, bad
    result, found = continuous(packets, skips=skips)
    assert found.jumps == 0
    expected = [40 * n for n in range(50)]
    assert result[VIDEO][:20] == expected[:20]
    assert result[VIDEO][20 + count :] == expected[20 + count :]
    assert result[AUDIO] == [20 * n for n in range(100)]
    assert all(abs(a - b) <= 100 for a, b in zip(result[VIDEO], expected, strict=True))


def test_packets_without_stamps_and_pauses_pass():
    packets = [Packet(VIDEO, None), *video(0, 40, 70_000, 70_040, 70_080, 140_000)]
    result, found = continuous(packets, skips=False)
    assert (found.jumps, found.moved) == (0, 0)
    assert result[VIDEO] == [None, 0, 40, 70_000, 70_040, 70_080, 140_000]


def rising(*given, step=40):
    stamps = FrameStamps()
    result = [stamps.push(stamp, step) for stamp in given][1:]
    return [*result, stamps.finish()], stamps.moved


@pytest.mark.parametrize(
    ("given", "expected", "moved"),
    [
        ((0, 40, 80, 120), [0, 40, 80, 120], 0),
        ((0, 40, 40, 120), [0, 40, 41, 120], 1),
        ((0, 40, 20, 120, 160), [0, 40, 41, 120, 160], 1),
        ((0, 40, 99999, 120, 160), [0, 40, 41, 120, 160], 1),
        ((0, 40, 80, 60, 160), [0, 40, 80, 81, 160], 1),
        ((0, 40, 40, 40, 120, 160), [0, 40, 41, 42, 120, 160], 2),
        ((99999, 40, 80), [0, 40, 80], 1),
        ((None, None, None), [0, 40, 80], 0),
        ((None, 1000, 1040), [960, 1000, 1040], 0),
        ((0, None, 80, None, None, 200), [0, 40, 80, 120, 160, 200], 0),
        ((0, None, 30, 70), [0, 29, 30, 70], 0),
        ((0, 33, 1000, 1001, 5000), [0, 33, 1000, 1001, 5000], 0),
        ((7,), [7], 0),
    ],
)
def test_frames_have_rising_stamps_and_good_ones_stay(given, expected, moved):
    assert rising(*given) == (expected, moved)


def test_no_frames_have_no_stamps():
    assert FrameStamps().finish() is None


def steps(path):
    """Seconds between the frames of a video."""
    times = [frame.pts * frame.time_base for frame in read_frames(path)]
    return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.parametrize("audio", [None, "aac"])
@pytest.mark.parametrize("suffix", ["ts", "mp4"])
def test_joined_transport_streams_run_on(tmp_path, few_pictures, inverting, audio, suffix):
    part = write_video(tmp_path / "part.ts", few_pictures, VideoSpec(audio=audio, options={"preset": "ultrafast", "bf": "2"}))
    (tmp_path / "in.ts").write_bytes(part.read_bytes() * 3)
    summary = deblur_video(tmp_path / "in.ts", tmp_path / f"out.{suffix}", deblurrer=inverting)
    assert summary.frames == 36
    assert any("2 jumps" in warning for warning in summary.warnings)
    assert len(read_frames(tmp_path / f"out.{suffix}")) == 36
    assert set(steps(tmp_path / f"out.{suffix}")) == {Fraction(1, 25)}
    if audio:
        times = stamps(tmp_path / f"out.{suffix}")
        before = stamps(part)
        assert len(times[1]) == 3 * len(before[1])
        # the last audio packet is as far from the last frame as in one part
        assert float(times[1][-1][0] - times[0][-1][0]) == pytest.approx(float(before[1][-1][0] - before[0][-1][0]), abs=0.03)


def test_a_part_of_a_joined_file_may_lie_behind_the_first_part(tmp_path, few_pictures):
    part = write_video(tmp_path / "part.ts", few_pictures, VideoSpec(options={"preset": "ultrafast"}))
    (tmp_path / "in.ts").write_bytes(part.read_bytes() * 3)
    reader = Reader(tmp_path / "in.ts", start=1.0, duration=0.2)
    assert sum(isinstance(item, av.VideoFrame) for item in reader) == 5
    reader.close()
    with pytest.raises(InputError, match="--start lies beyond the end"):
        Reader(tmp_path / "in.ts", start=1.5)


def test_a_part_of_long_joined_files_is_the_one_at_its_time(tmp_path):
    """Their clocks tell each time several times."""
    recipe = VideoSpec(time_base=Fraction(1, 5), options={"preset": "ultrafast", "g": "5", "bf": "2"})
    joined = b""
    for part in range(3):
        # 13 seconds, whose levels tell which part a frame is of, and which second
        pictures = [np.full((32, 32, 3), 20 + 70 * part + 5 * (n // 5), np.uint8) for n in range(65)]
        joined += write_video(tmp_path / "part.ts", pictures, recipe).read_bytes()
    (tmp_path / "in.ts").write_bytes(joined)
    for start in (11.4, 15.0, 37.2):
        reader = Reader(tmp_path / "in.ts", start=start, duration=0.4)
        frames = [item for item in reader if isinstance(item, av.VideoFrame)]
        reader.close()
        part, seconds = divmod(start, 13)
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
        assert levels == pytest.approx([20 + 70 * part + 5 * int(seconds)] * 2, abs=2), start
        assert [reader.seconds_of(frame) for frame in frames] == pytest.approx([start, start + 0.2])


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_avi_with_b_frames_gets_even_stamps(tmp_path, few_pictures, inverting, codec):
    source = write_video(tmp_path / "in.avi", few_pictures, VideoSpec(codec, options={"bf": "2"}, audio="mp2"))
    with av.open(str(source)) as container:
        assert container.streams.video[0].codec_context.has_b_frames
    for suffix in ("mkv", "avi"):
        target = tmp_path / f"out.{suffix}"
        assert deblur_video(source, target, deblurrer=inverting, codec="ffv1").warnings == []
        assert set(steps(target)) == {Fraction(1, 25)}
        assert read_frames(target)[0].time == 0


@pytest.mark.parametrize("rate", [25, 30])
def test_avi_that_was_copied_from_mp4_gets_even_stamps(tmp_path, few_pictures, rate):
    """The copy declares twice the frame rate, and leaves every other place empty."""
    source = write_video(tmp_path / "in.mp4", few_pictures, VideoSpec("mpeg4", options={"bf": "2"}, time_base=Fraction(1, rate)))
    copy = tmp_path / "copy.avi"
    with av.open(str(source)) as container, av.open(str(copy), "w") as output:
        stream = output.add_stream_from_template(container.streams.video[0])
        stream.time_base = Fraction(1, 2 * rate)
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux_one(packet)
    reader = Reader(copy)
    assert reader.stream.average_rate == 2 * rate
    times = [item.pts * item.time_base for item in reader if isinstance(item, av.VideoFrame)]
    reader.close()
    assert times == [Fraction(n, rate) for n in range(12)]


def test_a_stream_without_any_stamps_gets_even_ones(tmp_path, few_pictures, inverting):
    source = write_video(tmp_path / "in.mkv", few_pictures, VideoSpec(options={"bf": "2"}))
    from av.bitstream import BitStreamFilterContext

    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        annexb = BitStreamFilterContext("h264_mp4toannexb", stream)
        data = b"".join(bytes(p) for packet in container.demux(stream) if packet.size for p in annexb.filter(packet))
    (tmp_path / "in.h264").write_bytes(data)
    summary = deblur_video(tmp_path / "in.h264", tmp_path / "out.mkv", deblurrer=inverting, codec="ffv1")
    assert (summary.frames, summary.warnings) == (12, [])
    assert {round(float(step), 2) for step in steps(tmp_path / "out.mkv")} == {0.04}


@pytest.mark.parametrize("bad", [3, 40, 5000])
def test_one_bad_stamp_in_a_file_moves_by_itself(tmp_path, few_pictures, inverting, bad):
    source = write_video(tmp_path / "in.mkv", few_pictures, VideoSpec("ffv1", options={}))
    with av.open(str(source)) as container:
        position = [packet.pos for packet in container.demux(video=0) if packet.size][6]
    content = bytearray(source.read_bytes())
    # a block of Matroska begins with its track and its time in the cluster, in milliseconds
    assert content[position : position + 3] == b"\x81" + (240).to_bytes(2, "big")
    content[position + 1 : position + 3] = bad.to_bytes(2, "big")
    source.write_bytes(content)
    deblur_video(source, tmp_path / "out.mkv", deblurrer=inverting)
    times = [round(frame.time * 1000) for frame in read_frames(tmp_path / "out.mkv")]
    assert times[:6] + times[7:] == [40 * n for n in range(12) if n != 6]
    assert 200 < times[6] < 280


def test_the_reader_gives_frames_of_one_picture_their_stamp(tmp_path, few_pictures):
    source = write_video(tmp_path / "in.mkv", few_pictures[:1], VideoSpec("ffv1", options={}))
    reader = Reader(source)
    assert [item.pts for item in reader if isinstance(item, av.VideoFrame)] == [0]
    reader.close()
