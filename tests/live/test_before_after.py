"""The video track of the server: the latest frame, with the original and the restored picture side by side."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from streamdeblur.live.restorer import Restorer
from support.live import yuv_frame

pytest.importorskip("aiortc", reason="aiortc comes with the extra live")

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from streamdeblur.live.serve import camera
from streamdeblur.live.serve.camera import BeforeAfter


class Camera(MediaStreamTrack):
    """A camera that delivers all its frames at once."""

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
def restorer(inverting_options):
    opened = Restorer(inverting_options)
    yield opened
    opened.close()


def frames(pictures):
    for number, picture in enumerate(pictures):
        frame = yuv_frame(picture)
        frame.pts = number
        yield frame


def test_the_latest_frame_is_shown_beside_the_restored_one(restorer, few_pictures, monkeypatch):
    monkeypatch.setattr(camera, "BUDGET", 60.0)

    async def receive():
        source = Camera(frames(few_pictures))
        track = BeforeAfter(source, restorer)
        await source.done.wait()
        both = await track.recv()
        track.stop()
        await track.ended()
        return both, track

    both, track = asyncio.run(receive())
    assert both.pts == len(few_pictures) - 1
    assert (track.frames, track.dropped) == (1, len(few_pictures) - 1)
    statistics = track.statistics()
    assert statistics["restored"] >= 1
    assert statistics["latency_ms"]["p50"] > 0
    before, after = np.split(both.to_ndarray(format="rgb24").astype(int), 2, axis=1)
    assert np.abs(before - few_pictures[-1]).mean() < 4
    changed = np.abs(after - before).max(axis=2) > 30
    assert 0.05 < changed.mean() < 0.95


def test_a_receiver_that_waits_is_woken_at_the_end(restorer):
    async def receive():
        track = BeforeAfter(Camera([]), restorer)
        waiting = asyncio.ensure_future(track.recv())
        await asyncio.sleep(0)
        track.stop()
        with pytest.raises(MediaStreamError):
            await waiting

    asyncio.run(receive())
