"""Files whose clock does not begin at 0: their streams stay in step in every kind of file, without a pause before them."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from streamdeblur.archive.segments import join_segments, restore_segment
from streamdeblur.options import VideoOptions
from streamdeblur.video.cuts import find_cuts
from support.media.streams import Sound, transcode, write_streams
from support.media.videos import VideoSpec, copied, stamps, write_video

DAY_TIMES = (Fraction(10), Fraction(60_000))
"""Seconds at which clocks of broadcasts and cameras may begin."""


def times(path):
    """Seconds at which the first frame or sample of each stream begins, and at which the last one does."""
    return {index: (float(found[0][0]), float(found[-1][0])) for index, found in stamps(path).items()}


def late_source(folder, suffix, later):
    whole = write_streams(folder / "whole.mkv", Sound("libmp3lame"), codec="mpeg2video", frames=50)
    return copied(whole, folder / f"late.{suffix}", later=later)


@pytest.mark.parametrize("later", DAY_TIMES)
@pytest.mark.parametrize(("source", "target"), [("ts", "avi"), ("ts", "mp4"), ("ts", "mov"), ("mkv", "avi"), ("mkv", "mp4")])
def test_a_clock_begins_at_0_in_files_that_cannot_say_when_it_begins(tmp_path, source, target, later):
    late = late_source(tmp_path, source, later)
    codec = "mpeg4" if target == "avi" else "libx264"
    assert transcode(late, tmp_path / f"out.{target}", codec=codec) == []
    before, after = times(late), times(tmp_path / f"out.{target}")
    begin = min(first for first, _ in before.values())
    # the delay of an audio encoder may lie before 0
    assert min(first for first, _ in after.values()) == pytest.approx(0, abs=0.03)
    for index, (_, last) in before.items():
        # AVI has the places of a frame rate, and no time of the first sample
        assert after[index][1] == pytest.approx(last - begin, abs=0.03), index
    with av.open(str(tmp_path / f"out.{target}")) as container:
        assert container.duration == pytest.approx(2_030_000, abs=50_000)


@pytest.mark.parametrize("target", ["ts", "mkv", "nut"])
def test_a_clock_is_kept_where_files_have_one(tmp_path, target):
    late = late_source(tmp_path, "ts", DAY_TIMES[1])
    transcode(late, tmp_path / f"out.{target}", codec="mpeg2video")
    before, after = times(late), times(tmp_path / f"out.{target}")
    assert all(after[index] == pytest.approx(both, abs=1e-3) for index, both in before.items())


def with_late_stream(folder, kind, begin):
    """A transport stream whose stream of one kind begins a second after the other."""
    source, late = folder / "in.mkv", folder / "late.ts"
    write_streams(source, Sound("libmp3lame"), codec="mpeg2video", frames=50)
    with av.open(str(source)) as container, av.open(str(late), "w") as output:
        streams = {stream.index: output.add_stream_from_template(stream) for stream in container.streams}
        for packet in container.demux():
            if packet.size:
                ticks = round((begin + (packet.stream.type == kind)) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + ticks, packet.dts + ticks, streams[packet.stream_index]
                output.mux_one(packet)
    return late


@pytest.mark.parametrize("target", ["mp4", "mov", "avi"])
def test_a_video_that_begins_after_its_sound_stays_as_late(tmp_path, target):
    late = with_late_stream(tmp_path, "video", DAY_TIMES[1])
    assert transcode(late, tmp_path / f"out.{target}", codec="mpeg4") == []
    before, after = times(late), times(tmp_path / f"out.{target}")
    assert after[0][1] - after[1][1] == pytest.approx(before[0][1] - before[1][1], abs=0.03)


@pytest.mark.parametrize("part", [{}, {"start": 0.2}, {"start": 1.2}])
def test_sound_that_avi_files_begin_too_early_is_named(tmp_path, part):
    late = with_late_stream(tmp_path, "audio", DAY_TIMES[0])
    warnings = transcode(late, tmp_path / "out.avi", codec="mpeg4", **part)
    early = 1 - part.get("start", 0)
    named = [f"audio stream 1 (mp3) begins {early:.1f} s too early: avi files cannot say that it is late"]
    assert warnings == (named if early > 0 else [])
    assert transcode(late, tmp_path / "out.mp4", codec="mpeg4", **part) == []


def test_segments_are_joined_with_the_times_of_one_piece(tmp_path, few_pictures, inverting):
    options = {"g": "8", "bf": "2", "preset": "ultrafast", "sc_threshold": "0"}
    pictures = [picture[:64, :64] for picture in few_pictures] * 2
    whole = write_video(tmp_path / "whole.mp4", pictures, VideoSpec(options=options, audio="aac"))
    late = copied(whole, tmp_path / "late.mkv", later=DAY_TIMES[1])
    transcode(late, tmp_path / "piece.mp4")
    settings = VideoOptions(segment=0.3)
    segments = find_cuts(late, 0.3).segments
    assert len(segments) == 3
    paths = [tmp_path / f"{segment.number}.segment" for segment in segments]
    for segment, path in zip(segments, paths, strict=True):
        restore_segment(late, tmp_path / "joined.mp4", path, segment, settings, inverting)
    join_segments(late, tmp_path / "joined.mp4", paths, settings, threads=1)
    assert stamps(tmp_path / "joined.mp4") == stamps(tmp_path / "piece.mp4")
    assert 0 <= stamps(tmp_path / "joined.mp4")[0][0][0] < 0.1
