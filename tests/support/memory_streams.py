"""Streams of one face whose window is exactly a crop, and what of them reaches an engine."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from streamdeblur.faces.neighbours import half_luma_of

PLACE = 32
"""Line and column where the window begins in a frame."""
INSIDE = np.s_[PLACE + 48 : PLACE + 208, PLACE + 48 : PLACE + 208]
"""The part of a frame where the whole restoration is added."""
WITHIN_CROP = np.s_[48:208, 48:208]
"""The same part of the crop."""


@dataclass
class Tracked:
    """Faces of the caller's tracker, in the form of supervision's `Detections`."""

    xyxy: np.ndarray
    tracker_id: np.ndarray | None


def tracked(*ids, scale=1.7, side=256.0):
    """The face in the window at `PLACE`, once for each id; without any, a box without an id."""
    centre, half = PLACE + 128, side / scale / 2
    box = [centre - half, centre - half, centre + half, centre + half]
    return Tracked(np.array([box] * max(1, len(ids))), np.array(ids) if ids else None)


def frame_of(crop, size=320):
    """A gray frame with a crop, uint8 RGB [256, 256, 3], in it."""
    frame = np.full((size, size, 3), 96, np.uint8)
    frame[PLACE : PLACE + 256, PLACE : PLACE + 256] = crop
    return frame


class Recording:
    """An engine that notes what is submitted to it."""

    def __init__(self, engine):
        self._engine = engine
        self.submitted = []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def submit(self, faces):
        self.submitted.append(faces)
        return self._engine.submit(faces)


@contextmanager
def recorded(deblurrer):
    """Within it, what is submitted to the engine of a deblurrer is noted; the deblurrer is reset."""
    deblurrer.reset()
    engine = deblurrer.engine
    deblurrer.engine = Recording(engine)
    try:
        yield deblurrer.engine.submitted
    finally:
        deblurrer.engine = engine


def numbers(neighbours, crops):
    """Which of `crops` the neighbours of a face are."""
    known = [half_luma_of(crop) for crop in crops]
    return [next(n for n, luma in enumerate(known) if np.array_equal(luma, near)) for near in neighbours]
