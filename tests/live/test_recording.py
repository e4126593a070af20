"""Recordings: their names, what they tell players, and what is left of them when the disk is full or the program is killed."""

from __future__ import annotations

import contextlib
import errno
import math
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamdeblur.errors import OptionError, OutputError
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.recording_file import RecordingFile
from streamdeblur.live.sink_worker import OutputFrame, SinkWorker
from streamdeblur.live.sinks import sink_opener, sink_openers
from streamdeblur.live.timing import TICKS
from streamdeblur.partial_file import PartialFile
from streamdeblur.video.encoders import SUFFIXES
from support.disks import files_of_at_most
from support.live import yuv_frame
from support.media.videos import read_frames

RATE = 25


def noise(number):
    """A frame that takes several KB, at its time."""
    frame = yuv_frame(np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8))
    frame.pts, frame.time_base = number * TICKS // RATE, Fraction(1, TICKS)
    return frame


def opened(file, **settings):
    return sink_opener(str(file), LiveOptions(**settings))(noise(0), Fraction(RATE), None)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "out.mkv"


# names


def test_after_an_interruption_a_recording_goes_on_in_the_next_free_file(file):
    """A file without a frame is removed, and no other file is replaced."""
    taken = file.with_name("out-2.mkv")
    taken.write_bytes(b"precious")
    opener = sink_opener(str(file), LiveOptions())
    for number in range(3):
        sink = opener(noise(0), Fraction(RATE), None)
        if number != 1:
            sink.write(noise(number))
        sink.close()
    assert sorted(path.name for path in file.parent.iterdir()) == ["out-2.mkv", "out-3.mkv", "out.mkv"]
    assert taken.read_bytes() == b"precious"


def test_a_recording_does_not_replace_a_file_unless_asked_to(file):
    file.write_bytes(b"precious")
    with pytest.raises(OutputError, match="overwrite=True"):
        sink_opener(str(file), LiveOptions())
    assert file.read_bytes() == b"precious"
    sink = opened(file, overwrite=True)
    assert file.read_bytes() == b"precious"
    sink.write(noise(0))
    sink.close()
    assert len(read_frames(file)) == 1


def test_a_recording_that_never_begins_leaves_the_file_that_it_was_to_replace(file):
    file.write_bytes(b"precious")
    opened(file, overwrite=True).close()
    with pytest.raises(OptionError, match="libx999"):
        opened(file, overwrite=True, codec="libx999")
    assert file.read_bytes() == b"precious"


def test_on_a_full_disk_the_file_that_was_to_be_replaced_is_intact(file):
    file.write_bytes(b"precious")
    sink = opened(file, overwrite=True)
    with files_of_at_most(20_000):
        failures = [attempt(lambda number=number: sink.write(noise(number))) for number in range(40)]
    assert "Nothing was recorded" in str(next(filter(None, failures)))
    sink.close()
    assert file.read_bytes() == b"precious"
    assert len(list(file.parent.iterdir())) == 1


def test_a_file_is_replaced_soon(file, monkeypatch):
    """A kill must not cost the recording, which can be played under its name."""
    monkeypatch.setattr("streamdeblur.live.recording_file.REPLACED_AFTER_SECONDS", 0)
    file.write_bytes(b"outdated")
    sink = opened(file, overwrite=True)
    for number in range(2 * RATE):
        sink.write(noise(number))
    assert len(readable_frames(file)) > RATE
    sink.close()
    assert len(read_frames(file)) == 2 * RATE
    assert len(list(file.parent.iterdir())) == 1


@pytest.mark.parametrize("moment", ["while it is written", "at its end"])
def test_a_recording_that_cannot_replace_the_former_file_says_that_nothing_was_recorded(file, monkeypatch, moment):
    former = opened(file)
    former.write(noise(0))
    former.close()
    content = file.read_bytes()
    monkeypatch.setattr("streamdeblur.live.recording_file.REPLACED_AFTER_SECONDS", math.inf if moment == "at its end" else 0)
    sink = opened(file, overwrite=True)
    (unfinished,) = set(file.parent.iterdir()) - {file}
    unfinished.rename(file.with_name("elsewhere.mkv"))
    failures = [attempt(lambda number=number: sink.write(noise(number))) for number in range(3)]
    failures.append(attempt(sink.close))
    first = next(filter(None, failures))
    action = "finish" if moment == "at its end" else "write"
    assert str(first) == f"Cannot {action} {file}: No such file or directory. Nothing was recorded."
    assert file.read_bytes() == content


@pytest.mark.parametrize("replaces", [False, True])
def test_two_recordings_cannot_have_one_name(file, replaces):
    if replaces:
        file.write_bytes(b"outdated")
    first = opened(file, overwrite=replaces)
    with pytest.raises(OutputError, match="exists"):
        opened(file)
    for number in range(2):
        with pytest.raises(OutputError, match=r"is being (recorded|written) by another run"):
            opened(file, overwrite=True)
        first.write(noise(number))
    first.close()
    assert len(read_frames(file)) == 2


def test_a_name_that_appeared_meanwhile_is_refused(file):
    opener = sink_opener(str(file), LiveOptions())
    file.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists"):
        opener(noise(0), Fraction(RATE), None)
    assert file.read_bytes() == b"precious"


def test_a_recording_does_not_take_the_name_of_a_video_that_is_being_written(file):
    with PartialFile(file) as unfinished:
        unfinished.write_bytes(b"a video")
        with pytest.raises(OutputError, match="is being written by another run"):
            opened(file)
    assert file.read_bytes() == b"a video"


def test_one_name_for_two_sinks_is_refused(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with pytest.raises(OptionError, match="given twice"):
        sink_openers(LiveOptions(to=(str(file), "null", "./out.mkv")))


def test_a_recording_over_a_folder_is_refused(file):
    file.mkdir()
    with pytest.raises(OptionError, match=r"out\.mkv is a folder"):
        sink_opener(str(file), LiveOptions(overwrite=True))


@pytest.mark.parametrize("settings", [{"codec": "libx999"}, {"preset": "no such preset"}])
def test_an_encoder_that_cannot_be_opened_leaves_no_file(file, settings):
    with pytest.raises(OptionError, match=r"libx999|has no preset"):
        opened(file, **settings)
    assert not list(file.parent.iterdir())


# what players are told


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_recording_is_described_as_its_source(tmp_path, inverting_options, suffix):
    """Rotation, pixels that are not square, HLG with its primaries, and fields."""
    source, target = tmp_path / f"source{suffix}", tmp_path / f"out{suffix}"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, width=64, height=64)
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(4, 3)
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = 9, 1, 9, 18
        context.flags |= 1 << 18
        context.options = {"x264-params": "tff=1"}
        stream.set_display_rotation(90)
        for number in range(5):
            container.mux(stream.encode(noise(number)))
        container.mux(stream.encode(None))
    LiveLoop(LiveOptions(restoration=inverting_options, source=str(source), to=(str(target),))).run()
    assert described(target) == described(source)
    assert described(source)[1:] == (Fraction(4, 3), 9, 1, 9, 18, True)


def described(file):
    with av.open(str(file)) as container:
        frame = next(container.decode(video=0))
        tags = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc, frame.interlaced_frame)
        return (frame.rotation, container.streams.video[0].sample_aspect_ratio, *tags)


# killed at any moment


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_at_any_moment_all_but_the_last_second_can_be_played(tmp_path, suffix):
    """What a killed process leaves is what it has given to the operating system until then."""
    file, left, moments = tmp_path / f"out{suffix}", tmp_path / f"left{suffix}", random.Random(1)
    sink = opened(file)
    for number in range(4 * RATE):
        sink.write(noise(number))
        if number >= RATE and moments.random() < 0.1:
            left.write_bytes(file.read_bytes())
            assert len(readable_frames(left)) > number - RATE
    sink.close()
    assert len(read_frames(file)) == 4 * RATE


def readable_frames(file):
    """The frames of a file before its end, or where it is cut off."""
    frames = []
    with av.open(str(file)) as container, contextlib.suppress(av.FFmpegError):
        frames.extend(container.decode(video=0))
    return frames


def test_a_complete_recording_is_a_regular_mp4_file(tmp_path):
    file = tmp_path / "out.mp4"
    sink = opened(file)
    for number in range(2 * RATE):
        sink.write(noise(number))
    assert b"moof" in file.read_bytes()
    sink.close()
    with av.open(str(file)) as container:
        # only the index of a regular file counts all frames
        assert container.streams.video[0].frames == 2 * RATE


# a disk that is full, or taken away


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("limit", [0, 100, 1000, 30_000, 120_000])
def test_on_a_full_disk_nothing_crashes_and_what_is_left_can_be_played(tmp_path, suffix, limit):
    file = tmp_path / f"out{suffix}"
    sink = opened(file)
    with files_of_at_most(limit):
        failures = [attempt(lambda number=number: sink.write(noise(number))) for number in range(40)]
        failures.append(attempt(sink.close))
        attempt(sink.close)
    first = next(failure for failure in failures if failure)
    assert str(first).startswith(f"Cannot write {file}: File too large. ")
    assert ("It can be played up to there" in str(first)) == file.exists()
    if file.exists():
        assert readable_frames(file)


def attempt(action):
    """Returns the OutputError of an action, or None."""
    try:
        action()
    except OutputError as error:
        return error
    return None


def test_what_is_deleted_meanwhile_is_noticed(file):
    sink = opened(file)
    sink.write(noise(0))
    file.unlink()
    failures = [attempt(lambda number=number: sink.write(noise(number))) for number in range(1, 40)]
    assert "it was deleted meanwhile" in str(next(filter(None, failures)))
    sink.close()
    assert not file.exists()


def test_after_a_limit_of_the_file_system_the_recording_goes_on_in_another_file(tmp_path, caplog):
    caplog.set_level("INFO", "streamdeblur")
    worker = SinkWorker("out.mkv", sink_opener(str(tmp_path / "out.mkv"), LiveOptions()), blocking=True)
    worker._backoff.due = lambda: True
    worker.open(noise(0), Fraction(RATE))
    with files_of_at_most(60_000):
        for number in range(40):
            worker.put(OutputFrame(noise(number), 0.0))
        worker.close()
    assert "Reopened out.mkv." in caplog.messages
    assert not worker.lost
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:2] == ["out-2.mkv", "out.mkv"]
    assert sum(len(readable_frames(tmp_path / name)) for name in names) > 20


def test_an_interrupted_recording_waits_for_free_space(file, monkeypatch):
    monkeypatch.setattr("streamdeblur.live.recording_file.LEAST_FREE", 2**62)
    opener = sink_opener(str(file), LiveOptions())
    opener(noise(0), Fraction(RATE), None).close()
    with pytest.raises(OutputError, match="are free in"):
        opener(noise(0), Fraction(RATE), None)


def test_errors_that_a_container_swallows_are_kept(tmp_path):
    file = RecordingFile(tmp_path / "out.mkv", overwrite=False)
    with files_of_at_most(10), pytest.raises(OSError, match="too large"):
        file.write(bytes(100))
    assert file.error.errno == errno.EFBIG
    file.remove()
    assert not Path(file.name).exists()
