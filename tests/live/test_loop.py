"""The live loop with real sources and sinks, played in real time."""

from __future__ import annotations

import re
import threading
import time

import numpy as np
import pytest

from streamdeblur.errors import InputError, OptionError
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.sources import open_live_source
from support.fakes.live import FakeSink, FakeSource
from support.live import run
from support.media.videos import read_frames, stamps
from support.servers import wait_until


@pytest.fixture
def options(inverting_options):
    """Live options with the inverting network; by default with a sink that discards everything."""
    return lambda **settings: LiveOptions(restoration=inverting_options, **{"source": "x", "to": ("null",), **settings})


def test_a_file_that_is_not_played_in_real_time_loses_no_frame(options, clip, tmp_path):
    summary = run(options(source=str(clip), to=(str(tmp_path / "out.mkv"),)))
    assert (summary.frames, summary.dropped, summary.passed_through) == (12, 0, 0)
    assert summary.restored == 12
    before, after = read_frames(clip), read_frames(tmp_path / "out.mkv")
    assert len(after) == 12
    changed = [
        np.abs(a.to_ndarray(format="gray").astype(int) - b.to_ndarray(format="gray")) for a, b in zip(before, after, strict=True)
    ]
    # The faces are negatives; the corners only differ by the encoder's errors.
    assert all((difference > 60).mean() > 0.05 for difference in changed)
    assert all(difference[:20, :20].mean() < 3 for difference in changed)


def test_faces_are_drawn_into_the_frames_of_all_outputs(options, clip, tmp_path):
    plain, drawn = tmp_path / "plain.mkv", tmp_path / "drawn.mkv"
    run(options(source=str(clip), to=(str(plain),), codec="ffv1"))
    summary = run(options(source=str(clip), to=(str(drawn),), codec="ffv1", show_faces=True))
    assert summary.restored == 12
    for before, after in zip(read_frames(plain), read_frames(drawn), strict=True):
        changed = before.to_ndarray(format="gray") != after.to_ndarray(format="gray")
        assert 500 < np.count_nonzero(changed) < 0.2 * changed.size


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ("region:0,0,20,20", "no face had its middle in region:0,0,20,20 (left, top, width and height in pixels)"),
        ("track:7", "no face had track 7 (tracks found: 1)"),
    ],
)
def test_faces_that_are_not_chosen_are_counted_and_those_that_were_not_there_are_told(options, clip, only, words):
    summary = run(options(source=str(clip)).changed(only=only))
    assert (summary.restored, summary.not_chosen) == (0, 12)
    assert summary.warnings == [f"only: {words}"]


def test_in_real_time_frames_keep_the_times_of_their_capture(options, clip, tmp_path):
    began = time.monotonic()
    summary = run(options(source=str(clip), realtime=True, to=(str(tmp_path / "out.mkv"),)))
    assert time.monotonic() - began > 11 / 25
    assert summary.frames + summary.dropped + summary.left_out == 12
    assert summary.latency_ms["p50"] > 0
    times = np.array([float(moment) for moment, _ in stamps(tmp_path / "out.mkv")[0]])
    assert len(times) == summary.frames
    assert (np.diff(times) > 0).all()
    # The last frame is due 11 intervals after the first.
    assert summary.dropped or summary.left_out or times[-1] - times[0] > 10.5 / 25


def test_stale_frames_are_dropped_and_the_latest_is_shown(options, inverting_options, few_pictures):
    class BusyRestorer(Restorer):
        """Is busy with the first frame until the source has delivered half of all."""

        def edit(self, *arguments, **settings):
            wait_until(lambda: source.count >= 24)
            super().edit(*arguments, **settings)

    source = FakeSource(few_pictures * 4, finite=True, interval=0.002)
    summary = run(options(budget=1000), source_opener=lambda _: source, restorer=BusyRestorer(inverting_options))
    assert summary.dropped > 10
    assert summary.frames + summary.dropped + summary.left_out == 48
    assert source.closed


def test_faces_beyond_the_budget_pass_through_and_are_counted(options, few_pictures):
    source = FakeSource(few_pictures, finite=True)
    summary = run(options(budget=0.01), source_opener=lambda _: source)
    assert summary.restored == 0
    assert summary.passed_through > 0
    assert summary.frames + summary.dropped + summary.left_out == 12


@pytest.mark.parametrize(("name", "choices"), [("x", ""), ("pattern", "a smaller --size, a lower --fps, ")])
def test_faces_that_pass_unrestored_are_reported_once(options, inverting_options, few_pictures, caplog, name, choices):
    """With what helps: a file has its own size and rate."""

    class SlowRestorer(Restorer):
        seconds_per_face = 0.5

    source = FakeSource(few_pictures * 2, finite=True)
    summary = run(options(source=name, budget=0.01), source_opener=lambda _: source, restorer=SlowRestorer(inverting_options))
    (message,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert summary.warnings == [message]
    assert re.fullmatch(
        "100% of the blurred faces pass unrestored, for lack of time: a face takes 500 ms, and a frame may take 0 ms. "
        rf"Choose {choices}--budget 5\d\d, or show fewer faces.",
        message,
    )
    assert summary.restored == 0


def test_a_frame_of_another_size_is_recorded_at_the_first_size(options, few_pictures, tmp_path):
    small = [np.ascontiguousarray(picture[:180, :240]) for picture in few_pictures]
    source = FakeSource([*few_pictures, *small], finite=True, interval=0.0)
    # it waits until its frames are taken, so that none is dropped
    source.realtime = False
    summary = run(options(to=(str(tmp_path / "out.mkv"),)), source_opener=lambda _: source)
    frames = read_frames(tmp_path / "out.mkv")
    assert len(frames) == summary.frames == 24
    assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}


def test_the_split_view_leaves_the_left_half_unrestored(options, clip):
    shown = []
    run(options(source=str(clip), view="split"), sink=lambda: FakeSink(shown))
    original = read_frames(clip)[-1].to_ndarray(format="gray")
    # above the labels, and beside the line
    changed = (original != shown[-1].to_ndarray(format="gray"))[:200]
    assert not changed[:, :152].any()
    assert changed[:, 168:].mean() > 0.05


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"source": "missing.mp4"}, InputError, "missing.mp4"),
        ({"source": "pattern", "camera": "0"}, OptionError, "not both"),
        ({"source": None, "camera": "42"}, InputError, "video42"),
        ({"source": None, "camera": "no such camera"}, InputError, "no such camera"),
        ({"source": "-"}, OptionError, "--size"),
        ({"source": "rtsp://127.0.0.1:9/x"}, InputError, "Cannot open rtsp"),
        ({"source": "pattern", "to": ("magic",)}, OptionError, "Unknown sink"),
        ({"source": "pattern", "to": ("gopher://x",)}, OptionError, "gopher"),
    ],
)
def test_what_cannot_be_opened_is_named(options, settings, error, message):
    with pytest.raises(error, match=message):
        LiveLoop(options(**settings))


def test_the_pattern_has_blurred_faces_at_its_rate():
    source = open_live_source(LiveOptions(source="pattern", size="320x180", fps=20))
    frames = source.frames()
    taken = [next(frames)]
    began = time.monotonic()
    taken += [next(frames) for _ in range(10)]
    assert time.monotonic() - began > 9 / 20
    assert {(frame.width, frame.height) for frame in taken} == {(320, 180)}
    assert taken[0] is not taken[1]


def test_a_network_stream_is_sent_and_received(options, clip):
    """One loop sends the clip over UDP, and a source receives it."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"udp://127.0.0.1:{port}?pkt_size=1316"
    sender = LiveLoop(options(source=str(clip), realtime=True, loop=True, to=(url,)))
    thread = threading.Thread(target=sender.run)
    thread.start()
    try:
        source = open_live_source(LiveOptions(source=f"udp://127.0.0.1:{port}"))
        received = next(source.frames())
        assert (received.width, received.height) == (320, 240)
        source.close()
    finally:
        sender.stop()
        thread.join(20.0)
