"""The live loop: real sources and sinks, played in real time; faults of each part while it runs."""

from __future__ import annotations

import shutil
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import EngineError, InputError, OptionError, OutputError
from streamdeblur.faces.find import LOCAL_SIZE
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.sink_worker import Outlet, Shown
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.sources import open_live_source
from streamdeblur.live.timing import TICKS, Backoff
from streamdeblur.live.view import split_view
from streamdeblur.video.copying import copy_frame, line_bytes
from support.media.frames import random_frame
from support.media.videos import frame_bytes, read_frames, stamps, write_video
from support.models.networks import write_network


@pytest.fixture(scope="module")
def inverting_network(tmp_path_factory):
    """A network whose work is seen at once: the negative."""
    return write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")


@pytest.fixture(scope="module")
def clip(tmp_path_factory, few_pictures):
    """Twelve frames of a blurred face, 25 per second."""
    return write_video(tmp_path_factory.mktemp("clips") / "face.mp4", few_pictures)


def options(network, **settings):
    return LiveOptions(weights=network, always=True, **settings)


def run(made, said=None, **parts):
    loop = LiveLoop(made, (said if said is not None else []).append, **parts)
    ended = threading.Timer(20.0, loop.stop)
    ended.start()
    try:
        return loop.run()
    finally:
        ended.cancel()


class Frames:
    """A source of given frames at given moments, with a fault at its end."""

    name, paced, ends = "test source", True, False
    rate = Fraction(25)

    def __init__(self, pictures, *, ends, pause=0.04):
        self.pictures, self.ends, self._pause = pictures, ends, pause
        self.closed = False

    def frames(self):
        for picture in self.pictures:
            time.sleep(self._pause)
            yield av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        if not self.ends:
            raise InputError("The cable is out.")

    def close(self):
        self.closed = True


def test_a_file_that_need_not_hurry_loses_no_frame(inverting_network, clip, tmp_path):
    summary = run(options(inverting_network, source=str(clip), to=(str(tmp_path / "out.mkv"),)))
    assert (summary.frames, summary.dropped, summary.passed_through) == (12, 0, 0)
    assert summary.restored == 12
    before, after = read_frames(clip), read_frames(tmp_path / "out.mkv")
    assert len(after) == 12
    changed = [
        np.abs(a.to_ndarray(format="gray").astype(int) - b.to_ndarray(format="gray")) for a, b in zip(before, after, strict=True)
    ]
    # faces are negatives; the corners are what the encoder made of them
    assert all((difference > 60).mean() > 0.05 for difference in changed)
    assert all(difference[:20, :20].mean() < 3 for difference in changed)


def test_in_real_time_frames_keep_the_times_of_their_capture(inverting_network, clip, tmp_path):
    began = time.monotonic()
    summary = run(options(inverting_network, source=str(clip), realtime=True, to=(str(tmp_path / "out.mkv"),)))
    assert time.monotonic() - began > 11 / 25
    assert summary.frames + summary.dropped == 12
    assert summary.latency_ms["p50"] > 0
    times = np.array([float(moment) for moment, _ in stamps(tmp_path / "out.mkv")[0]])
    assert len(times) == summary.frames
    assert (np.diff(times) > 0).all()
    # the last frame came when it was due: 11 frames after the first
    assert summary.dropped or times[-1] - times[0] > 10.5 / 25


def test_when_it_cannot_keep_up_stale_frames_are_dropped_and_the_newest_shown(inverting_network, few_pictures):
    source = Frames(few_pictures * 4, ends=True, pause=0.002)
    summary = run(options(inverting_network, source="x", to=("null",), budget=1000), source_opener=lambda _: source)
    assert summary.dropped > 0
    assert summary.frames + summary.dropped == 48
    assert source.closed


def test_what_has_no_time_passes_through_and_is_counted(inverting_network, few_pictures):
    source = Frames(few_pictures, ends=True)
    summary = run(options(inverting_network, source="x", to=("null",), budget=0.01), source_opener=lambda _: source)
    assert summary.restored == 0
    assert summary.passed_through > 0
    assert summary.frames + summary.dropped == 12


def test_a_source_that_is_lost_comes_back_and_meanwhile_the_picture_says_so(inverting_network, few_pictures, tmp_path):
    opened, said, shown = [], [], []

    def notices():
        """Dark pictures with few bright letters."""
        return [frame for frame in shown if np.median(frame.to_ndarray(format="gray")) < 60]

    def opener(_):
        if opened and not notices():
            raise InputError("No camera there.")
        opened.append(Frames(few_pictures, ends=len(opened) == 1))
        return opened[-1]

    loop = LiveLoop(options(inverting_network, source="x", to=("null",)), said.append, source_opener=opener)
    loop.outlets[0]._opener = lambda frame, rate: _Watching(shown)
    ended = threading.Timer(60.0, loop.stop)
    ended.start()
    summary = loop.run()
    ended.cancel()
    assert any("The cable is out. Trying again" in message for message in said)
    assert any("is back" in message for message in said)
    # (what is dropped before the loop begins does not count)
    assert 12 < summary.frames + summary.dropped <= 24
    assert len(opened) == 2


class _Watching:
    """A sink that keeps what it is shown."""

    steady, capacity, lasting = True, 1, True

    def __init__(self, shown):
        self._shown = shown

    def write(self, frame):
        self._shown.append(copy_frame(frame))

    def close(self):
        pass


class _Breaking(_Watching):
    """A sink that is lost after some frames."""

    def __init__(self, shown, lives):
        super().__init__(shown)
        self._lives = lives

    def write(self, frame):
        self._lives -= 1
        if self._lives < 0:
            raise OutputError("The reader is gone.")
        super().write(frame)


def test_a_sink_that_is_lost_is_opened_again(inverting_network, few_pictures):
    shown, said, lives = [], [], iter([3, 1000])
    loop = LiveLoop(
        options(inverting_network, source="x", to=("null",)),
        said.append,
        source_opener=lambda _: Frames(few_pictures * 3, ends=True),
    )
    loop.outlets[0]._opener = lambda frame, rate: _Breaking(shown, next(lives))
    summary = loop.run()
    assert any("The reader is gone. Trying again" in message for message in said)
    assert any("null is back" in message for message in said)
    assert 3 < len(shown) == summary.frames < 36
    assert summary.frames + summary.dropped <= 36


def test_a_broken_engine_lets_frames_pass_and_is_replaced(inverting_network, few_pictures):
    said, opened = [], []

    def opener(chosen):
        opened.append(FaceDeblurrer(chosen))
        if len(opened) == 1:
            broken = opened[0].engine
            opened[0].engine = _Failing(broken)
        return opened[-1]

    made = options(inverting_network, source="x", to=("null",), budget=1000)
    restorer = Restorer(made.restoration, said.append, opener)
    loop = LiveLoop(made, said.append, source_opener=lambda _: Frames(few_pictures * 5, ends=True), restorer=restorer)
    summary = loop.run()
    assert any("The device is lost. Faces pass as they are" in message for message in said)
    assert any("works again" in message for message in said)
    assert len(opened) == 2
    assert 0 < summary.restored < 60
    assert summary.frames + summary.dropped == 60


class _Failing:
    """An engine whose device is lost."""

    def __init__(self, engine):
        self.name, self.reason, self.infer, self.close = engine.name, engine.reason, engine.infer, engine.close

    def submit(self, crops):
        raise EngineError("The device is lost.")


def test_an_engine_that_cannot_be_closed_takes_no_recording_with_it(inverting_network, clip, tmp_path):
    file, there = tmp_path / "out.mkv", []

    def opener(chosen):
        opened = FaceDeblurrer(chosen)
        opened.engine.close = fail
        return opened

    def fail():
        there.append(file.exists())
        raise RuntimeError("The device does not answer.")

    made = options(inverting_network, source=str(clip), to=(str(file),))
    summary = run(made, restorer=Restorer(made.restoration, print, opener))
    assert summary.frames == len(read_frames(file)) == 12
    # it was finished before anything could go wrong with the device
    assert there == [True]


def test_an_engine_that_comes_after_the_end_is_closed(inverting_network, few_pictures):
    opened, closed, opening, go_on = [], [], threading.Event(), threading.Event()

    def opener(chosen):
        if opened:
            opening.set()
            assert go_on.wait(60)
        opened.append(FaceDeblurrer(chosen))
        opened[-1].close = lambda: closed.append(True)
        return opened[-1]

    restorer = Restorer(options(inverting_network, source="x").restoration, print, opener)
    opened[0].edit = lambda frame, deadline: _Failing.submit(None, None)
    frame = av.VideoFrame.from_ndarray(few_pictures[0], format="rgb24").reformat(format="yuv420p")
    until(lambda: restorer.edit(frame, None) or opening.is_set())
    restorer.close()
    go_on.set()
    until(lambda: len(closed) == 2)


def until(true):
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("never true")


def test_a_detector_that_fails_between_two_frames_is_replaced_too(inverting_network, few_pictures):
    said, opened = [], []

    def opener(chosen):
        opened.append(FaceDeblurrer(chosen))
        if len(opened) == 1:
            opened[0].detector.detect = _once_found(opened[0].detector.detect)
        return opened[-1]

    made = options(inverting_network, source="x", to=("null",), budget=1000, detect_every=2)
    restorer = Restorer(made.restoration, said.append, opener)
    loop = LiveLoop(made, said.append, source_opener=lambda _: Frames(few_pictures * 5, ends=True), restorer=restorer)
    summary = loop.run()
    assert any("The detector is lost. Faces pass as they are" in message for message in said)
    assert any("works again" in message for message in said)
    assert len(opened) == 2
    assert 0 < summary.restored < 60
    assert summary.frames + summary.dropped == 60


def _once_found(detect):
    """`detect`, lost at the first look at a whole frame after one that found a face."""
    found = []

    def failing(rgb):
        full = rgb.shape[:2] != (LOCAL_SIZE, LOCAL_SIZE)
        if full and found:
            raise RuntimeError("The detector is lost.")
        faces = detect(rgb)
        if full:
            found.extend(faces)
        return faces

    return failing


def test_another_size_in_the_midst_is_recorded_at_the_first_one(inverting_network, few_pictures, tmp_path):
    small = [np.ascontiguousarray(picture[:180, :240]) for picture in few_pictures]
    source = Frames([*few_pictures, *small], ends=True)
    summary = run(options(inverting_network, source="x", to=(str(tmp_path / "out.mkv"),)), source_opener=lambda _: source)
    frames = read_frames(tmp_path / "out.mkv")
    assert len(frames) == summary.frames > 12
    assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}


def test_the_split_view_keeps_the_left_half(inverting_network, clip):
    shown = []
    loop = LiveLoop(options(inverting_network, source=str(clip), to=("null",), view="split"), [].append)
    loop.outlets[0]._opener = lambda frame, rate: _Watching(shown)
    loop.run()
    original = read_frames(clip)[-1].to_ndarray(format="gray")
    last = shown[-1].to_ndarray(format="gray")
    changed = original != last
    assert not changed[:, :160].any()
    assert changed[:, 160:].mean() > 0.05


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuyv422", "rgb24", "yuv422p10le", "p010le", "gray"])
@pytest.mark.parametrize("size", [(96, 72), (37, 23)])
def test_both_halves_of_the_split_view_meet_in_the_middle(pixel_format, size):
    left, right = (random_frame(pixel_format, *size, seed=seed) for seed in (1, 2))
    both = split_view(left, right)
    columns = size[0] // 16 * 8
    for index, plane in enumerate(frame_bytes(both)):
        bound = line_bytes(both, index, columns)
        assert 0.4 < bound / plane.shape[1] <= 0.5
        np.testing.assert_array_equal(plane[:, :bound], frame_bytes(left)[index][:, :bound])
        np.testing.assert_array_equal(plane[:, bound:], frame_bytes(right)[index][:, bound:])


def test_nothing_is_lost_where_a_file_exists_already(inverting_network, clip, tmp_path):
    (tmp_path / "out.mkv").write_bytes(b"precious")
    with pytest.raises(OptionError, match="--overwrite"):
        LiveLoop(options(inverting_network, source=str(clip), to=(str(tmp_path / "out.mkv"),)), [].append)
    assert (tmp_path / "out.mkv").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"source": "missing.mp4"}, InputError, "missing.mp4"),
        ({"source": "pattern", "camera": "0"}, OptionError, "not both"),
        ({"camera": "42"}, InputError, "video42"),
        ({"camera": "no such camera"}, InputError, "no such camera"),
        ({"source": "-"}, OptionError, "--size"),
        ({"source": "rtsp://127.0.0.1:9/x"}, InputError, "Cannot open rtsp"),
        ({"source": "pattern", "to": ("magic",)}, OptionError, "Unknown sink"),
        ({"source": "pattern", "to": ("gopher://x",)}, OptionError, "gopher"),
    ],
)
def test_what_cannot_be_opened_is_said(inverting_network, settings, error, said):
    with pytest.raises(error, match=said):
        LiveLoop(options(inverting_network, **{"to": ("null",), **settings}), [].append)


def test_a_protocol_that_this_ffmpeg_has_not_is_said(few_pictures):
    if "srt" in av.formats_available and _speaks("srt://127.0.0.1:9"):
        pytest.skip("this FFmpeg has SRT")
    frame = av.VideoFrame.from_ndarray(few_pictures[0])
    with pytest.raises(OutputError, match="without SRT"):
        sink_opener("srt://127.0.0.1:9", LiveOptions())(frame, Fraction(25))
    with pytest.raises(InputError, match=r"without SRT.*\n.*rawvideo"):
        open_live_source(LiveOptions(source="srt://127.0.0.1:9"))


def _speaks(address):
    try:
        av.open(address, timeout=0.1)
    except av.ProtocolNotFoundError:
        return False
    except av.FFmpegError:
        return True


def test_a_recording_never_replaces_what_is_there(few_pictures, tmp_path):
    """A recording that broke off goes on beside what there is; one without a frame leaves nothing."""
    (tmp_path / "out-2.mkv").write_bytes(b"precious")
    opener = sink_opener(str(tmp_path / "out.mkv"), LiveOptions())
    frame = av.VideoFrame.from_ndarray(few_pictures[0]).reformat(format="yuv420p")
    for number in range(3):
        sink = opener(frame, Fraction(25))
        frame.pts, frame.time_base = number, Fraction(1, TICKS)
        if number != 1:
            sink.write(frame)
        sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-2.mkv", "out-4.mkv", "out.mkv"]
    assert (tmp_path / "out-2.mkv").read_bytes() == b"precious"


def test_a_recording_over_a_folder_is_refused_at_once(tmp_path):
    (tmp_path / "out.mkv").mkdir()
    with pytest.raises(OptionError, match=r"out\.mkv is a folder"):
        sink_opener(str(tmp_path / "out.mkv"), LiveOptions(overwrite=True))


def test_a_recording_into_a_folder_that_is_not_there_is_refused_at_once(inverting_network, clip, tmp_path):
    said = []
    made = options(inverting_network, source=str(clip), to=(str(tmp_path / "nowhere" / "out.mkv"),))
    with pytest.raises(OutputError, match=r"The folder .*nowhere does not exist\. Create it first\."):
        run(made, said)
    assert not any("Trying again" in message for message in said)


def test_a_recording_whose_folder_vanishes_goes_on_when_it_is_back(inverting_network, few_pictures, tmp_path):
    """It is not said to be back before a file can be written, and no file is named that is not there."""
    said, folder = [], tmp_path / "drive"
    folder.mkdir()
    frame = av.VideoFrame.from_ndarray(few_pictures[0]).reformat(format="yuv420p")
    outlet = Outlet("out.mkv", sink_opener(str(folder / "out.mkv"), LiveOptions()), said.append, lambda shown: None, patient=True)
    outlet._backoff = Impatient()
    outlet.open(frame, Fraction(25))

    def put(number):
        copied = copy_frame(frame)
        copied.pts, copied.time_base = number, Fraction(1, TICKS)
        outlet.put(Shown(copied, time.monotonic()))

    shutil.rmtree(folder)
    for number in range(5):
        put(number)
    while outlet._waiting:
        time.sleep(0.01)
    assert not any("is back" in message for message in said)
    assert not any("What there is lies" in message for message in said)
    folder.mkdir()
    for number in range(5, 10):
        put(number)
    outlet.close()
    assert [path.suffix for path in folder.iterdir()] == [".mkv"]
    assert "out.mkv is back." in said


class Impatient(Backoff):
    """Tries again at once."""

    def due(self):
        return True


def test_an_encoder_that_is_not_there_leaves_nothing_behind(few_pictures, tmp_path):
    frame = av.VideoFrame.from_ndarray(few_pictures[0]).reformat(format="yuv420p")
    with pytest.raises(OptionError, match="libx999"):
        sink_opener(str(tmp_path / "out.mkv"), LiveOptions(codec="libx999"))(frame, Fraction(25))
    assert not list(tmp_path.iterdir())


def test_a_missing_virtual_camera_comes_with_the_command_that_makes_one(inverting_network, clip):
    pytest.importorskip("pyvirtualcam", reason="pyvirtualcam comes with the extra live")
    loop = LiveLoop(options(inverting_network, source=str(clip), to=("camera:/dev/video99",)), [].append)
    with pytest.raises(OutputError, match="modprobe v4l2loopback"):
        loop.run()


def test_the_pattern_has_blurred_faces_at_its_rate():
    source = open_live_source(LiveOptions(source="pattern", size="640x360", fps=20))
    frames = source.frames()
    taken = [next(frames)]
    began = time.monotonic()
    taken += [next(frames) for _ in range(10)]
    assert time.monotonic() - began > 9 / 20
    assert {(frame.width, frame.height) for frame in taken} == {(640, 360)}
    assert taken[0] is not taken[1]


def test_a_stream_of_the_network_goes_out_and_comes_in(inverting_network, clip):
    """One loop sends the clip over UDP, another receives it."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"udp://127.0.0.1:{port}?pkt_size=1316"
    sender = LiveLoop(options(inverting_network, source=str(clip), realtime=True, loop=True, to=(address,)), [].append)
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
