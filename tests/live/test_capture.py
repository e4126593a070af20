"""The capture of recordings that are damaged."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur.errors import InputError
from streamdeblur.live.capture import Capture
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sources import MOST_DAMAGED, open_live_source
from support.media.videos import VideoSpec, write_video
from support.servers import wait_until

FRAMES = 2 * MOST_DAMAGED


@pytest.fixture
def clip(tmp_path):
    """A video of frames that are each decoded alone."""
    pictures = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), np.uint8)
    spec = VideoSpec(codec="mjpeg", pixel_format="yuvj420p", time_base=Fraction(1, 1000), options={})
    return write_video(tmp_path / "clip.mkv", list(pictures) * FRAMES, spec)


def overwrite(clip, first, last):
    """Overwrite the content of some packets with zeros."""
    with av.open(str(clip)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    content, place = bytearray(clip.read_bytes()), 0
    for number, packet in enumerate(packets):
        place = content.index(packet, place)
        if first <= number < last:
            content[place : place + len(packet)] = bytes(len(packet))
        place += len(packet)
    clip.write_bytes(content)


def captured(**settings):
    """The number of frames that a capture gives until its end, its warnings, and how many times it opened the source."""
    opened, warnings = [], []

    def opener():
        opened.append(open_live_source(LiveOptions(**settings)))
        return opened[-1]

    capture = Capture(opener, warnings.append)
    capture.start()
    frames = 0
    # a file that is opened again has no end
    while not capture.frames.ended and len(opened) < 3:
        frames += capture.frames.take(0.05) is not None
    capture.stop()
    return frames, warnings, len(opened)


@pytest.mark.parametrize("hole", [(20, 20 + MOST_DAMAGED + 10), (FRAMES - 3, FRAMES), (FRAMES - 2 - MOST_DAMAGED, FRAMES)])
def test_a_damaged_file_gives_the_frames_that_can_be_decoded_and_a_warning(clip, hole):
    overwrite(clip, *hole)
    warning = "clip.mkv is damaged: what cannot be decoded is left out."
    assert captured(source=str(clip)) == (FRAMES - (hole[1] - hole[0]), [warning], 1)


def test_a_file_that_is_whole_gives_no_warning(clip):
    assert captured(source=str(clip)) == (FRAMES, [], 1)


def test_a_damaged_file_in_a_loop_is_told_once_and_repeated(clip):
    overwrite(clip, 0, 10)
    opened, warnings = open_live_source(LiveOptions(source=str(clip), loop=True)), []
    capture = Capture(lambda: opened, warnings.append)
    capture.start()
    for _ in range(3 * (FRAMES - 10)):
        assert capture.frames.take(10.0) is not None
    capture.stop()
    assert len(warnings) == 1


def test_a_file_in_a_loop_that_is_gone_for_a_moment_is_opened_again(clip):
    """As where a program replaces it."""
    warnings = []
    capture = Capture(lambda: open_live_source(LiveOptions(source=str(clip), loop=True)), warnings.append)
    away = clip.rename(clip.with_suffix(".away"))
    capture.start()
    for _ in range(FRAMES):
        assert capture.frames.take(10.0) is not None
    wait_until(lambda: warnings)
    away.rename(clip)
    for _ in range(2 * FRAMES):
        assert capture.frames.take(10.0) is not None
    capture.stop()
    assert len(warnings) == 1


@pytest.mark.parametrize("loop", [False, True])
def test_a_file_of_which_nothing_can_be_decoded_is_refused(clip, loop):
    overwrite(clip, 0, FRAMES)
    with pytest.raises(InputError, match="contains no frames"):
        captured(source=str(clip), loop=loop)


def test_raw_frames_that_end_within_a_frame_are_told_and_not_waited_for(tmp_path, monkeypatch):
    raw = tmp_path / "frames.yuv"
    raw.write_bytes(bytes(32 * 32 * 3 // 2 * 5 + 7))
    with raw.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        _, (warning,), opened = captured(source="-", size="32x32")
    assert opened == 1
    assert warning.startswith("The raw frames end within frame 6.")
