"""Virtual cameras and network streams, and what they refuse."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import av
import numpy as np
import pytest

from streamdeblur.errors import InputError, OutputError
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.sinks import sink_opener
from streamdeblur.live.sources import open_live_source
from support.fakes.live import FakeSource
from support.live import run, turned_frame, yuv_frame


@pytest.fixture
def frame(few_pictures):
    return yuv_frame(few_pictures[0])


def test_the_error_for_a_missing_virtual_camera_contains_the_command_that_creates_one(frame):
    pytest.importorskip("pyvirtualcam", reason="pyvirtualcam comes with the extra live")
    with pytest.raises(OutputError, match="modprobe v4l2loopback"):
        sink_opener("camera:/dev/video99", LiveOptions())(frame, Fraction(25), None)


class FakeDriver:
    """What pyvirtualcam calls to write to a device: keeps the frames; the first one is lost after eight of them."""

    made: ClassVar[list[FakeDriver]] = []

    def __init__(self, *, width, height, fps, fourcc, device, **settings):
        if device == "busy":
            raise RuntimeError("'busy' is in use")
        self.size, self.fps, self.fourcc, self._device = (width, height), fps, fourcc, device
        self.frames, self.closed = [], False
        self.made.append(self)

    def send(self, frame):
        if len(self.frames) == 8 and self is self.made[0]:
            raise RuntimeError("the device is gone")
        self.frames.append(frame.copy())

    def device(self):
        return self._device or "first"

    def native_fourcc(self):
        return None

    def close(self):
        self.closed = True


@pytest.fixture
def driver(monkeypatch):
    """Takes the place of the drivers of this system, as pyvirtualcam lets drivers be added."""
    pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="pyvirtualcam comes with the extra live")
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    pyvirtualcam.register_backend("fake", FakeDriver)
    monkeypatch.setattr(FakeDriver, "made", [])
    return FakeDriver


def test_a_virtual_camera_gets_the_restored_frames_and_is_opened_again_when_it_is_lost(
    driver, few_pictures, inverting_options, caplog
):
    options = LiveOptions(source="x", to=("camera:/dev/video10",), budget=1000, restoration=inverting_options)
    source = FakeSource(few_pictures, finite=True, until=lambda: len(driver.made) > 1)
    summary = run(options, source_opener=lambda _: source)
    first, second = driver.made[:2]
    assert (first.size, first.fps, first.device(), first.closed) == ((320, 240), 25.0, "/dev/video10", True)
    sent = np.stack(first.frames + second.frames).reshape(-1, 360, 320)[:, :240].astype(int)
    shown = np.stack([yuv_frame(picture).to_ndarray()[:240] for picture in few_pictures])
    print(
        [
            (
                int(np.abs(luma - shown)[:, :20, :20].max(axis=(1, 2)).min()),
                round(float((np.abs(luma - shown) > 60).mean(axis=(1, 2)).min()), 3),
            )
            for luma in sent
        ]
    )
    # faces are negatives, after those that fade in
    assert any(0.05 < (np.abs(luma - shown) > 60).mean(axis=(1, 2)).min() < 0.9 for luma in sent)
    # besides those with a status message
    assert len(first.frames) == 8 < summary.frames <= sum(len(camera.frames) for camera in driver.made)
    assert second.size == first.size
    assert "The virtual camera was lost: the device is gone. Retrying" in caplog.text
    assert all(camera.closed for camera in driver.made)


def test_a_virtual_camera_of_an_odd_frame_and_one_in_use(driver, frame):
    odd = frame.reformat(width=319, height=239)
    sink = sink_opener("camera", LiveOptions())(odd, Fraction(30_000, 1001), None)
    sink.write(odd)
    sink.write(frame)
    sink.close()
    (camera,) = driver.made
    assert (camera.size, [len(sent) for sent in camera.frames]) == ((318, 238), [318 * 238 * 3 // 2] * 2)
    with pytest.raises(OutputError, match=r"no virtual camera busy(.|\n)*in use"):
        sink_opener("camera:busy", LiveOptions())(frame, Fraction(25), None)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_virtual_camera_shows_a_turned_frame_upright(driver, tmp_path, few_pictures, rotation):
    turned, upright = turned_frame(tmp_path, few_pictures[0], rotation)
    sink = sink_opener("camera", LiveOptions())(turned, Fraction(25), None)
    sink.write(turned)
    (camera,) = driver.made
    assert camera.size == (upright.shape[1], upright.shape[0])
    sent = av.VideoFrame.from_ndarray(camera.frames[0].reshape(-1, camera.size[0]), format="yuv420p")
    assert np.abs(sent.to_ndarray(format="gray").astype(int) - upright).mean() < 3


def test_a_protocol_that_ffmpeg_does_not_support_is_named(frame):
    if "srt" in av.formats_available and _supported("srt://127.0.0.1:9"):
        pytest.skip("this FFmpeg supports SRT")
    with pytest.raises(OutputError, match="without SRT"):
        sink_opener("srt://127.0.0.1:9", LiveOptions())(frame, Fraction(25), None)
    with pytest.raises(InputError, match=r"without SRT.*\n.*rawvideo"):
        open_live_source(LiveOptions(source="srt://127.0.0.1:9"))


def _supported(url):
    try:
        av.open(url, timeout=0.1)
    except av.ProtocolNotFoundError:
        return False
    except av.FFmpegError:
        return True
