"""A long stream whose camera, frame size and engine fail at random moments."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamdeblur import FaceDeblurrer
from streamdeblur.errors import EngineError, InputError
from streamdeblur.live.loop import LiveLoop
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from support.live import fake_sink

SECONDS = float(os.environ.get("STREAMDEBLUR_SOAK_SECONDS", "1200"))
FPS = 30
WARM = 0.3
"""Share of the run after which memory may not grow any more, because all sizes and faults have occurred several times."""
GROWTH = 60
"""MiB that memory may grow from there to the end."""
SIZES = ((320, 240), (240, 180), (304, 208))
LONGEST_STILL = 4.0
"""Seconds without a new frame: the silence before a status message, plus the compilation for a new size on a busy machine."""


class UnreliableCamera:
    """A camera that is lost at random moments, cannot be opened immediately, and comes back in another size."""

    name, realtime, finite, rate, tags = "unreliable camera", True, False, Fraction(FPS), None
    damaged = False

    def __init__(self, pictures, chance):
        if chance.random() < 0.4:
            raise InputError("No camera there.")
        self._pictures, self._chance = pictures, chance
        self._size = chance.choice(SIZES)

    def frames(self):
        for number in range(self._chance.randint(1, 10 * FPS)):
            time.sleep(1 / FPS)
            if self._chance.random() < 0.005:
                self._size = self._chance.choice(SIZES)
            frame = av.VideoFrame.from_ndarray(self._pictures[number % len(self._pictures)], format="rgb24")
            yield frame.reformat(*self._size, format="yuv420p")
        raise InputError("The cable is out.")

    def close(self):
        pass


class UnreliableEngine:
    """A real engine that fails at random moments: when crops are submitted, or when their results are requested."""

    def __init__(self, engine, chance):
        self._engine, self._chance = engine, chance
        self.name, self.reason, self.infer, self.close = engine.name, engine.reason, engine.infer, engine.close
        self.crop_sizes, self.parallel, self.warm_up = engine.crop_sizes, engine.parallel, engine.warm_up
        self.reader = engine.reader

    def submit(self, faces):
        if self._chance.random() < 0.004:
            raise EngineError("The device is lost.")
        pending = self._engine.submit(faces)
        return pending if self._chance.random() > 0.004 else LostFaces()


class LostFaces:
    def paste(self, planes, deadline=None):
        raise RuntimeError("The driver does not answer.")


class TimingSink:
    """A sink that records when frames arrive."""

    continuous, capacity, reopenable, patience = True, 1, True, None

    def __init__(self):
        self.longest_still, self._before, self.stamps = 0.0, time.monotonic(), []

    def write(self, frame):
        now = time.monotonic()
        self.longest_still, self._before = max(self.longest_still, now - self._before), now
        self.stamps.append(frame.pts)

    def close(self):
        pass


def resident():
    """MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which this system has not")
def test_a_stream_survives_all_faults_without_a_leak(inverting_options, few_pictures, caplog):
    caplog.set_level(logging.INFO, "streamdeblur")
    chance, memory, sink = random.Random(6), [], TimingSink()

    def opener(chosen):
        if chance.random() < 0.3:
            raise EngineError("There is no device.")
        deblurrer = FaceDeblurrer(chosen)
        deblurrer.engine = UnreliableEngine(deblurrer.engine, chance)
        return deblurrer

    def retrying(open_it):
        """The loop itself does not repeat the first attempt to open something."""
        while True:
            try:
                return open_it()
            except (InputError, EngineError):
                continue

    options = LiveOptions(restoration=inverting_options, source="x", to=("null",), loop=True)
    restorer = retrying(lambda: Restorer(inverting_options, opener))
    first = iter([retrying(lambda: UnreliableCamera(few_pictures, chance))])
    loop = LiveLoop(
        options,
        source_opener=lambda _: next(first, None) or UnreliableCamera(few_pictures, chance),
        restorer=restorer,
    )
    fake_sink(loop, lambda: sink)
    began = time.monotonic()

    def watch(loop):
        passed = time.monotonic() - began
        if passed >= len(memory):
            memory.append(resident())
        if passed >= SECONDS:
            loop.stop()

    summary = loop.run(watch)
    messages = [record.getMessage() for record in caplog.records]
    events = ("cable", "device is lost", "driver", "Reconnected", "new engine is running")
    faults = {event: sum(event in message for message in messages) for event in events}
    print(f"{summary}; {faults}; memory {memory[0]:.0f} .. {memory[-1]:.0f} MiB; longest still {sink.longest_still:.1f} s")
    assert summary.frames > 5 * SECONDS
    assert summary.restored > 0
    assert all(faults.values()), messages
    assert sink.longest_still < LONGEST_STILL
    assert (np.diff(sink.stamps) > 0).all()
    settled = memory[int(WARM * len(memory)) :]
    assert np.median(settled[-10:]) - np.median(settled[:10]) < GROWTH
    for thread in threading.enumerate():
        if thread.name == "engine":
            # An engine was being opened at the end.
            thread.join(60)
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"capture", "restore", "sink null", "engine"})
