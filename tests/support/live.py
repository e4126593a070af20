"""Frames, runs and sinks of live loops in tests."""

from __future__ import annotations

import threading

import av
import numpy as np

from streamdeblur.live.loop import LiveLoop
from support.media.videos import VideoSpec, read_frames, write_video


def yuv_frame(picture):
    """An av.VideoFrame in yuv420p."""
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")


def turned_frame(folder, picture, rotation):
    """A frame that is stored turned, as phones record it, and its picture as players show it: uint8 gray [H, W]."""
    file = write_video(folder / "turned.mp4", [picture], VideoSpec(rotation=rotation))
    (frame,) = read_frames(file)
    return frame, np.rot90(frame.to_ndarray(format="gray"), round(rotation / 90))


def fake_sink(loop, opener):
    """Let `opener()` open the first sink of a loop."""
    loop.sink_workers[0]._opener = lambda frame, rate, tags: opener()


def run(options, *, seconds=60.0, sink=None, **parts):
    """Run a live loop for at most this many seconds; returns its summary."""
    loop = LiveLoop(options, **parts)
    if sink is not None:
        fake_sink(loop, sink)
    timer = threading.Timer(seconds, loop.stop)
    timer.start()
    try:
        return loop.run()
    finally:
        timer.cancel()
