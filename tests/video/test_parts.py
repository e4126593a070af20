"""A part of a video, by times and by the numbers of its frames: its pixels, its times and its sound."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from streamdeblur import deblur_video
from streamdeblur.errors import InputError, OptionError
from streamdeblur.options import VideoOptions
from streamdeblur.video.parts import part_of
from streamdeblur.video.reader import Reader
from support.media.frames import plane_bytes
from support.media.streams import transcode
from support.media.videos import VideoSpec, read_frames, stamps, write_video

FRAMES = 40
UNEVEN = tuple(n * 40 + 7 * (n % 3) for n in range(FRAMES))
"""Time stamps in milliseconds of a variable frame rate."""


@pytest.fixture(scope="module")
def pictures():
    """Frames that differ, without a face."""
    lines, columns = np.mgrid[:96, :128]
    return [np.stack([lines + 5 * n, columns + 3 * n, lines * 0 + 6 * n], -1).astype(np.uint8) for n in range(FRAMES)]


def write(folder, suffix, pictures):
    codec = "libvpx" if suffix == "webm" else "libx264"
    options = {} if suffix == "webm" else {"preset": "veryfast", "bf": "3", "g": "12"}
    sound = {"webm": None, "avi": None}.get(suffix, "aac")
    return write_video(folder / f"in.{suffix}", pictures, VideoSpec(codec, options=options, audio=sound))


def assert_frames_of(part, source, numbers):
    """The frames of a part are bit for bit those of the source, and have their times from one to the next."""
    whole, cut = read_frames(source), read_frames(part)
    assert len(cut) == len(numbers)
    for number, frame in zip(numbers, cut, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(plane_bytes(whole[number]), plane_bytes(frame), strict=True))
    steps = [float(frame.time - cut[0].time) for frame in cut]
    # AVI has the times of packets, which are those of the frames in another order
    times = sorted(float(frame.time) for frame in whole)
    assert steps == pytest.approx([times[number] - times[numbers[0]] for number in numbers], abs=1.1e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "webm"])
def test_frames_are_counted_from_the_first_one(tmp_path, pictures, suffix, inverting):
    source = write(tmp_path, suffix, pictures)
    for frames, numbers in (("13-20", range(13, 21)), ("30-", range(30, FRAMES)), ((0, 4), range(5)), ("7-7", [7])):
        deblur_video(source, tmp_path / "part.mkv", deblurrer=inverting, frames=frames, codec="ffv1", overwrite=True)
        assert_frames_of(tmp_path / "part.mkv", source, numbers)
    with pytest.raises(InputError, match=rf"--frames 40- lies beyond the end of .*in.{suffix} \(40 frames\)"):
        deblur_video(source, tmp_path / "none.mkv", deblurrer=inverting, frames="40-")


def test_a_part_by_times_keeps_an_uneven_rate_and_the_sound_in_step(tmp_path, pictures, inverting):
    recipe = VideoSpec(time_base=Fraction(1, 1000), pts=UNEVEN, audio="aac", options={"preset": "veryfast", "bf": "3"})
    source = write_video(tmp_path / "in.mkv", pictures, recipe)
    deblur_video(source, tmp_path / "part.mkv", deblurrer=inverting, start="0:00.5", end=1.2, codec="ffv1")
    numbers = [n for n, stamp in enumerate(UNEVEN) if 500 <= stamp < 1200]
    assert_frames_of(tmp_path / "part.mkv", source, numbers)
    before, after = stamps(source), stamps(tmp_path / "part.mkv")
    assert float(after[0][0][0]) == pytest.approx(UNEVEN[numbers[0]] / 1000 - 0.5, abs=1e-3)
    sound = [float(time) for time, *_ in before[1] if 0.5 <= time < 1.2]
    assert [float(time) + 0.5 for time, *_ in after[1]] == pytest.approx(sound, abs=1e-3)


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("hevc", "libx265"), ("m2v", "mpeg2video")])
def test_parts_of_raw_streams_count_from_the_first_frame(tmp_path, pictures, suffix, codec):
    """They have no stamps, or those of a decoder, which begin with its delay."""
    options = {"bf": "2", "preset": "ultrafast"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
    source = write_video(tmp_path / f"in.{suffix}", pictures, VideoSpec(codec, options=options))
    whole = [plane_bytes(frame)[0] for frame in read_frames(source)]
    assert len(whole) == FRAMES
    for part, numbers in (
        ({"duration": 0.4}, range(10)),
        ({"start": 1.0, "duration": 0.2}, range(25, 30)),
        ({"start": 1.48}, range(37, FRAMES)),
        (part_of(source, VideoOptions(frames="0-4"))._asdict(), range(5)),
        (part_of(source, VideoOptions(frames="13-20"))._asdict(), range(13, 21)),
    ):
        reader = Reader(source, **part)
        found = [item for item in reader if isinstance(item, av.VideoFrame)]
        reader.close()
        assert len(found) == len(numbers), part
        assert all(np.array_equal(plane_bytes(frame)[0], whole[n]) for frame, n in zip(found, numbers, strict=True))
        assert [reader.seconds_of(frame) for frame in found] == pytest.approx([n / 25 for n in numbers])
    with pytest.raises(InputError, match="--start lies beyond the end"):
        Reader(source, start=FRAMES / 25)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_chapters_are_those_of_the_part(tmp_path, pictures, suffix):
    bounds = (0, 400, 700, 1000, 1600)
    chapters = [
        {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": f"{start}"}}
        for n, (start, end) in enumerate(pairwise(bounds))
    ]
    source = write_video(tmp_path / f"in.{suffix}", pictures, VideoSpec("mpeg4", options={}, chapters=tuple(chapters)))
    for part, expected in (
        ({"start": 0.5, "duration": 0.4}, [(0, 0.2, "400"), (0.2, 0.4, "700")]),
        ({"duration": 0.4}, [(0, 0.4, "0")]),
        ({"start": 0.8}, [(0, 0.2, "700"), (0.2, 0.8, "1000")]),
    ):
        transcode(source, tmp_path / f"out.{suffix}", **part)
        with av.open(str(tmp_path / f"out.{suffix}")) as container:
            found = [
                (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"]) for c in container.chapters()
            ]
            assert found == [(pytest.approx(start), pytest.approx(end), title) for start, end, title in expected]
            assert container.duration / 1e6 == pytest.approx(expected[-1][1], abs=0.05)


def test_one_way_to_say_which_part_is_enough(tmp_path, blurry_video):
    for settings in (
        {"end": 2, "duration": 1},
        {"frames": "1-2", "start": 1},
        {"start": 3, "end": 2},
        {"frames": "5-4"},
        {"frames": (-1, 4)},
    ):
        with pytest.raises(OptionError):
            VideoOptions(**settings)
    with pytest.raises(OptionError, match=r"frames: must be a range of frames, counted from 0.* \(got '5'\)"):
        VideoOptions(frames="5")
    assert VideoOptions(frames="5-").frames == (5, None)
