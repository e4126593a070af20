"""What is said of a file's length, before and after it was read: each warning is true."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import av
import pytest

from streamdeblur import deblur_video
from streamdeblur.video.reader import Reader
from support.media.videos import VideoSpec, copied, write_video

B_FRAMES = {"preset": "ultrafast", "bf": "2"}


def read(path, **settings):
    """(number of frames, number declared before reading, warnings)."""
    reader = Reader(path, **settings)
    declared = reader.total_frames
    frames = sum(isinstance(item, av.VideoFrame) for item in reader)
    reader.close()
    return frames, declared, reader.warnings


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts", "nut"])
def test_a_file_that_starts_late_is_whole(tmp_path, few_pictures, suffix):
    source = write_video(tmp_path / "whole.mp4", few_pictures, VideoSpec(options=B_FRAMES, audio="aac"))
    late = copied(source, tmp_path / f"late.{suffix}", later=Fraction(7200))
    assert read(late)[0] == 12
    assert read(late)[2] == []


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_what_an_edit_list_hides_is_not_missing(tmp_path, few_pictures, suffix, inverting):
    source = write_video(tmp_path / "whole.mp4", few_pictures, VideoSpec(options=B_FRAMES, audio="aac"))
    edited = copied(source, tmp_path / f"edited.{suffix}", later=Fraction(-1, 5))
    assert read(edited) == (7, 7, [])
    assert deblur_video(edited, tmp_path / f"out.{suffix}", deblurrer=inverting).warnings == []


def test_frames_before_the_first_key_frame_of_an_open_group_are_not_damage(tmp_path, few_pictures):
    options = {"preset": "veryfast", "x264-params": "open-gop=1:keyint=6:bframes=2:b-adapt=0:scenecut=0"}
    source = write_video(tmp_path / "whole.mp4", few_pictures, VideoSpec(options=options))
    with av.open(str(source)) as container:
        keys = [n for n, packet in enumerate(p for p in container.demux(video=0) if p.size) if packet.is_keyframe]
    for suffix in ("mp4", "mkv"):
        frames, _, warnings = read(copied(source, tmp_path / f"part.{suffix}", first_packet=keys[1]))
        assert 0 < frames <= 12 - keys[1]
        assert warnings == []


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "avi", "ts", "webm"])
def test_frames_are_counted_before_they_are_read(tmp_path, blurry_pictures, suffix):
    codec = "libvpx" if suffix == "webm" else "libx264"
    options = B_FRAMES if codec == "libx264" else {}
    pictures = [picture[:96, :128] for picture in blurry_pictures]
    source = write_video(tmp_path / f"in.{suffix}", pictures, VideoSpec(codec, options=options))
    assert read(source) == (50, 50, [])
    for settings in ({"duration": 0.8}, {"start": 0.4}, {"start": 0.52, "duration": 0.6}):
        frames, declared, warnings = read(source, **settings)
        assert abs(frames - declared) <= 1
        assert warnings == []


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_variable_frame_rates_are_not_damage(tmp_path, few_pictures, suffix):
    pts = (0, 40, 80, 130, 150, 240, 270, 300, 410, 420, 500, 5555)
    recipe = VideoSpec(time_base=Fraction(1, 1000), pts=pts, options=B_FRAMES, audio="aac")
    frames, _, warnings = read(write_video(tmp_path / f"in.{suffix}", few_pictures, recipe))
    assert (frames, warnings) == (12, [])


def test_the_count_of_a_variable_rate_comes_close_while_it_is_read(tmp_path, blurry_pictures):
    """The rate that FFmpeg finds in the beginning says nothing of the rest."""
    pts = tuple(10 * n if n < 50 else 500 + 200 * (n - 50) for n in range(100))
    pictures = [picture[:48, :64] for picture in [*blurry_pictures, *blurry_pictures]]
    recipe = VideoSpec("libvpx", time_base=Fraction(1, 1000), pts=pts, options={"deadline": "realtime"})
    reader = Reader(write_video(tmp_path / "in.webm", pictures, recipe))
    counts = [reader.total_frames for item in reader if isinstance(item, av.VideoFrame)]
    reader.close()
    assert len(counts) == 100
    assert abs(counts[-2] - 100) <= 2


def test_frames_that_an_avi_file_repeats_are_not_damage(tmp_path, few_pictures):
    recipe = VideoSpec("mpeg4", time_base=Fraction(1, 25), pts=(0, 1, 2, 5, 6, 7, 8, 11, 12, 13, 14, 15), options={})
    frames, _, warnings = read(write_video(tmp_path / "in.avi", few_pictures, recipe))
    assert (frames, warnings) == (12, [])


@pytest.mark.parametrize("suffix", ["ts", "mkv", "avi", "flv"])
def test_a_file_that_is_cut_off_says_so(tmp_path, blurry_pictures, suffix):
    pictures = [picture[:96, :128] for picture in blurry_pictures]
    codec = {"avi": "mpeg4", "flv": "flv"}.get(suffix, "libx264")
    whole = write_video(tmp_path / f"whole.{suffix}", pictures, VideoSpec(codec, options={})).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(whole[: len(whole) * 6 // 10 + 1])
    frames, _, warnings = read(tmp_path / f"cut.{suffix}")
    assert 10 < frames < 45
    assert any("ends early" in warning for warning in warnings)
    assert read(tmp_path / f"whole.{suffix}")[2] == []


@pytest.mark.parametrize("suffix", ["mkv", "webm", "avi", "mp4", "mov", "fragmented.mp4", "unknown.mkv"])
def test_a_file_that_lacks_little_says_so(tmp_path, few_pictures, suffix):
    """Of half a second, and where no length is declared: each outermost element states its size."""
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(suffix, "libx264")
    source = write_video(tmp_path / f"in.{suffix.split('.')[-1]}", few_pictures, VideoSpec(codec, options={}))
    if "fragmented" in suffix:
        remuxed(source, movflags="frag_keyframe+empty_moov")
    elif suffix in ("mp4", "mov"):
        remuxed(source, movflags="faststart")
    elif suffix == "unknown.mkv":
        remuxed(source, live="1")
    assert read(source)[0] == 12
    assert read(source)[2] == []
    whole = source.read_bytes()
    for size in (len(whole) * 9 // 10, len(whole) - 2):
        source.write_bytes(whole[:size])
        assert [warning for warning in read(source)[2] if "ends early" in warning], size


@pytest.mark.parametrize("lacking", [0.1, 2])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_the_end_of_a_cut_file_does_not_depend_on_the_number_of_threads(tmp_path, few_pictures, monkeypatch, codec, lacking):
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = write_video(tmp_path / "in.mp4", few_pictures, VideoSpec(codec, options=quiet))
    remuxed(source, movflags="faststart")
    whole = source.read_bytes()
    source.write_bytes(whole[: -lacking if lacking > 1 else int(len(whole) * (1 - lacking))])
    found = []
    for threads in (1, 2, 3, 4, 16):
        monkeypatch.setattr("streamdeblur.video.reader.DECODING_THREADS", threads)
        with closing(Reader(source)) as reader:
            frames = [item for item in reader if isinstance(item, av.VideoFrame)]
        found.append([(frame.pts, int(frame.colorspace), frame.to_ndarray().tobytes()) for frame in frames])
    assert found[0]
    assert all(one == found[0] for one in found)


def remuxed(path, **options):
    """Copy the packets of a file into one that is written with other options, and put it in its place."""
    target = path.with_stem("remuxed")
    with av.open(str(path)) as container, av.open(str(target), "w", options=options) as output:
        stream = output.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux_one(packet)
    target.replace(path)


def test_a_cut_avi_file_states_its_whole_length(tmp_path, few_pictures):
    source = write_video(tmp_path / "in.avi", few_pictures, VideoSpec("mpeg4", options={}))
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    assert any("of 0.5 s" in warning for warning in read(source)[2])


def test_where_key_frames_cannot_be_sought_a_part_is_read_all_the_same(tmp_path, few_pictures):
    source = write_video(tmp_path / "in.mp4", few_pictures, VideoSpec("mpeg4", options={}))
    with av.open(str(source)) as container:
        codec = container.streams.video[0].codec_context
        data = codec.extradata + b"".join(bytes(packet) for packet in container.demux(video=0) if packet.size)
    (tmp_path / "in.m4v").write_bytes(data)
    assert read(tmp_path / "in.m4v", start=0.2, duration=0.2)[0] == 5
