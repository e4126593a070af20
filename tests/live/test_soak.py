"""Hours in minutes: a stream whose camera, size and engine fail at random moments, over and over."""

from __future__ import annotations

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
from support.models.networks import write_network

SECONDS = float(os.environ.get("STREAMDEBLUR_SOAK_SECONDS", "1200"))
FPS = 30
WARM = 0.3
"""Share of the run after which memory may not grow any more: all sizes and faults were seen several times."""
GROWTH = 60
"""MiB that memory may grow from there to the end."""
SIZES = ((320, 240), (240, 180), (304, 208))
LONGEST_STILL = 4.0
"""Seconds without a new picture: what looks for a second, and compiles for a new size, may take on a busy machine."""


class ShakyCamera:
    """A camera that is unplugged at random moments, is not there at once again, and comes back in another size."""

    name, paced, ends, rate = "shaky camera", True, False, Fraction(FPS)

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


class ShakyEngine:
    """A real engine that fails at random moments: when crops come, or when they are asked back."""

    def __init__(self, engine, chance):
        self._engine, self._chance = engine, chance
        self.name, self.reason, self.infer, self.close = engine.name, engine.reason, engine.infer, engine.close

    def submit(self, crops):
        if self._chance.random() < 0.004:
            raise EngineError("The device is lost.")
        ticket = self._engine.submit(crops)
        return ticket if self._chance.random() > 0.004 else LostTicket()


class LostTicket:
    def result(self, deadline=None):
        raise RuntimeError("The driver does not answer.")


class Watcher:
    """A sink that notes when pictures came."""

    steady, capacity, lasting = True, 1, True

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
def test_a_stream_survives_all_faults_without_a_leak(tmp_path, few_pictures):
    network = write_network(tmp_path / "invert.onnx", "invert")
    chance, said, memory, watcher = random.Random(6), [], [], Watcher()

    def opener(chosen):
        if chance.random() < 0.3:
            raise EngineError("There is no device.")
        deblurrer = FaceDeblurrer(chosen)
        deblurrer.engine = ShakyEngine(deblurrer.engine, chance)
        return deblurrer

    def patient(open_it):
        """The first attempt of a program is not repeated by it: these are."""
        while True:
            try:
                return open_it()
            except (InputError, EngineError):
                continue

    made = LiveOptions(source="x", to=("null",), weights=network, always=True, loop=True)
    restorer = patient(lambda: Restorer(made.restoration, said.append, opener))
    first = iter([patient(lambda: ShakyCamera(few_pictures, chance))])
    loop = LiveLoop(
        made,
        said.append,
        source_opener=lambda _: next(first, None) or ShakyCamera(few_pictures, chance),
        restorer=restorer,
    )
    loop.outlets[0]._opener = lambda frame, rate: watcher
    began = time.monotonic()

    def look(loop):
        passed = time.monotonic() - began
        if passed >= len(memory):
            memory.append(resident())
        if passed >= SECONDS:
            loop.stop()

    summary = loop.run(look)
    faults = {
        kind: sum(kind in message for message in said) for kind in ("cable", "device is lost", "driver", "is back", "again.")
    }
    print(f"{summary}; {faults}; memory {memory[0]:.0f} .. {memory[-1]:.0f} MiB; longest still {watcher.longest_still:.1f} s")
    assert summary.frames > 5 * SECONDS
    assert summary.restored > 0
    assert all(faults.values()), said
    assert watcher.longest_still < LONGEST_STILL
    assert (np.diff(watcher.stamps) > 0).all()
    settled = memory[int(WARM * len(memory)) :]
    assert np.median(settled[-10:]) - np.median(settled[:10]) < GROWTH
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"capture", "restore", "outlet null", "engine"})
