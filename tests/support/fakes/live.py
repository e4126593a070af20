"""Fake sources, sinks and engines of a live loop, with faults."""

from __future__ import annotations

import time
from fractions import Fraction

from streamdeblur.errors import EngineError, InputError, OutputError
from streamdeblur.video.copying import copy_frame
from support.live import yuv_frame


class FakeSource:
    """A source of given pictures at a steady rate, which ends or is lost after the last one.

    With `until`, the pictures are repeated until it is true, and once more.
    """

    name, realtime, tags = "fake source", True, None
    damaged = repeated = False
    rate = Fraction(25)

    def __init__(self, pictures, *, finite, interval=0.04, until=lambda: True):
        self.pictures, self.finite, self._interval, self._until = pictures, finite, interval, until
        self.count, self.closed = 0, False

    def frames(self):
        last = False
        while not last:
            last = self._until()
            for picture in self.pictures:
                time.sleep(self._interval)
                self.count += 1
                yield yuv_frame(picture)
        if not self.finite:
            raise InputError("The cable is out.")

    def close(self):
        self.closed = True


class FakeSink:
    """A sink that keeps its frames, and is lost after `lifetime` of them."""

    continuous, capacity, reopenable, patience = True, 1, True, None

    def __init__(self, frames, lifetime=None):
        self._frames, self._lifetime = frames, lifetime

    def write(self, frame):
        if self._lifetime is not None:
            self._lifetime -= 1
            if self._lifetime < 0:
                raise OutputError("The reader is gone.")
        self._frames.append(copy_frame(frame))

    def close(self):
        pass


class LostEngine:
    """An engine whose device is lost."""

    def __init__(self, engine):
        self.name, self.reason, self.infer, self.close = engine.name, engine.reason, engine.infer, engine.close
        self.crop_sizes, self.parallel, self.warm_up = engine.crop_sizes, engine.parallel, engine.warm_up
        self.reader = engine.reader

    def submit(self, faces):
        raise EngineError("The device is lost.")
