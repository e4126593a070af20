"""A running average over restored frames, gated by motion: what a network with a memory has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Case, Image, Method
from streamdeblur.evaluation.methods.per_face import versioned

GAIN = 0.6
"""Weight of the average of the frames before, where nothing moves."""
NOISE_RADIUS = 2.0
"""Standard deviation in pixels of the low-pass filter before motion is judged: noise goes, what moved stays."""
MOTION = 4.0
"""Low-passed difference in code values at which the weight has fallen to exp(-1) of the gain."""
REMEMBERED = 16
"""Restored frames that are kept, because the next case of a run needs them again."""


class RunningAverage:
    """A method whose frames are averaged over time: ``average = restored + gate * (average before - restored)``.

    The gate is 0.6 where nothing moves, and falls to 0 with the low-passed difference of the two. Frames before the present one
    are restored each alone.
    """

    def __init__(self, method: Method) -> None:
        self._method, self.name = method, f"average:{method.name}"
        self.fingerprint = f"{versioned(f'{GAIN} {NOISE_RADIUS} {MOTION}')}; {method.fingerprint}" if method.fingerprint else ""
        self._restored: dict[str, Image] = {}

    def restore(self, cases: Sequence[Case]) -> list[Image]:
        """Restore some cases; see `Method.restore`."""
        return [self._average(case) for case in cases]

    def _average(self, case: Case) -> Image:
        before = case.neighbours.before if case.neighbours else ()
        average = None
        for picture in (*before, case.blurry):
            restored = self._alone(replace(case, blurry=picture, neighbours=None)).astype(np.float32)
            average = restored if average is None else averaged(restored, average)
        assert average is not None
        return np.rint(average).astype(np.uint8)

    def _alone(self, case: Case) -> Image:
        if case.digest not in self._restored:
            while len(self._restored) >= REMEMBERED:
                self._restored.pop(next(iter(self._restored)))
            self._restored[case.digest] = self._method.restore([case])[0]
        return self._restored[case.digest]


def averaged(restored: NDArray[np.float32], average: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average a restored frame with the average of those before it, both float32 [H, W, 3] in code values."""
    difference = average - restored
    motion = np.abs(cv2.GaussianBlur(difference, (0, 0), NOISE_RADIUS)).max(-1, keepdims=True)
    gate = np.float32(GAIN) * np.exp(-np.square(motion / np.float32(MOTION)))
    return np.asarray(restored + gate * difference, np.float32)
