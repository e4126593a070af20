"""An engine that is slow by construction, whatever the machine is."""

from __future__ import annotations

import time

import numpy as np

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.engines import PasteOutcome
from streamdeblur.faces.window import CROP_SIZE


class SlowEngine:
    """Another engine that takes this long for each crop, one after the other.

    Attributes:
        seconds: For a crop of 256 px; others take the share of their area.
        submitted: The windows and strengths of each frame that has faces, in order.
    """

    parallel = 1

    def __init__(self, engine, seconds):
        self.name, self.reason, self.close, self.crop_sizes = engine.name, engine.reason, engine.close, engine.crop_sizes
        self.warm_up = engine.warm_up
        self.reader = engine.reader
        self.seconds, self.submitted = seconds, []
        self._engine = engine

    def takes(self, sizes):
        return sum(self.seconds * (size / CROP_SIZE) ** 2 for size in sizes)

    def infer(self, crops, neighbours=()):
        time.sleep(self.takes([crops.shape[1]] * len(crops)))
        return self._engine.infer(crops, neighbours)

    def submit(self, faces):
        self.submitted.append((list(faces.windows), list(faces.strengths)))
        ready_at = time.monotonic() + self.takes([len(crop) for crop in faces.crops_on_host()])
        return _SlowFaces(self, self._engine.submit(faces), ready_at, len(faces.windows))


class _SlowFaces:
    def __init__(self, engine, pending, ready_at, count):
        self._engine, self._pending, self._ready_at, self._count = engine, pending, ready_at, count

    def paste(self, planes, deadline=None):
        in_time = deadline is None or self._ready_at <= deadline
        time.sleep(max(0.0, (self._ready_at if in_time else deadline) - time.monotonic()))
        if in_time:
            return self._pending.paste(planes)
        self._pending.discard()
        return PasteOutcome(np.ones(self._count, np.bool_), np.zeros(self._count, np.bool_))

    def discard(self):
        self._pending.discard()


def slow_opener(seconds, engines):
    """Opens deblurrers with slow engines, which it appends to a list."""

    def opened(options):
        deblurrer = FaceDeblurrer(options)
        deblurrer.engine = SlowEngine(deblurrer.engine, seconds)
        engines.append(deblurrer.engine)
        return deblurrer

    return opened
