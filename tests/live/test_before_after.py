"""The visitor's camera on the server: the newest frame wins, and both pictures come back beside each other."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from streamdeblur import RestorationOptions
from streamdeblur.live.restorer import Restorer
from support.models.networks import write_network

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from streamdeblur.live.serve import camera
from streamdeblur.live.serve.camera import BeforeAfter


class Frames(MediaStreamTrack):
    """A camera that has all its frames at once."""

    kind = "video"

    def __init__(self, frames):
        super().__init__()
        self._frames = iter(frames)
        self.done = asyncio.Event()

    async def recv(self):
        frame = next(self._frames, None)
        if frame is None:
            self.done.set()
            await asyncio.Event().wait()
        return frame


@pytest.fixture(scope="module")
def restorer(tmp_path_factory):
    network = write_network(tmp_path_factory.mktemp("networks") / "invert.onnx", "invert")
    opened = Restorer(RestorationOptions(weights=network, always=True), print)
    yield opened
    opened.close()


def frames(pictures):
    import av

    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        yield frame


def test_the_newest_frame_wins_and_both_are_beside_each_other(restorer, few_pictures, monkeypatch):
    monkeypatch.setattr(camera, "BUDGET", 60.0)

    async def watch():
        source = Frames(frames(few_pictures))
        track = BeforeAfter(source, restorer)
        await source.done.wait()
        both = await track.recv()
        track.stop()
        await track.ended()
        return both, track

    both, track = asyncio.run(watch())
    assert both.pts == len(few_pictures) - 1
    assert (track.frames, track.dropped) == (1, len(few_pictures) - 1)
    figures = track.figures()
    assert figures["restored"] >= 1
    assert figures["latency_ms"]["p50"] > 0
    before, after = np.split(both.to_ndarray(format="rgb24").astype(int), 2, axis=1)
    assert np.abs(before - few_pictures[-1]).mean() < 4
    changed = np.abs(after - before).max(axis=2) > 30
    assert 0.05 < changed.mean() < 0.95


def test_frames_larger_than_a_camera_has_end_it(restorer, few_pictures, monkeypatch):
    monkeypatch.setattr(camera, "MOST_PIXELS", 320 * 240 - 1)

    async def watch():
        track = BeforeAfter(Frames(frames(few_pictures)), restorer)
        with pytest.raises(MediaStreamError):
            await track.recv()
        await track.ended()
        return track.readyState

    assert asyncio.run(watch()) == "ended"


def test_a_waiting_visitor_is_told_of_the_end(restorer):
    async def watch():
        track = BeforeAfter(Frames([]), restorer)
        waiting = asyncio.ensure_future(track.recv())
        await asyncio.sleep(0)
        track.stop()
        with pytest.raises(MediaStreamError):
            await waiting

    asyncio.run(watch())
