"""Is a restored video as steady as the sharp one?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image


@dataclass(frozen=True, eq=False)
class Stability:
    """What changes from one frame to the next besides motion, in code values, for each two frames: float64 [T - 1].

    The sharp video's is what noise, light and errors of the flow leave; what the restored one has more is flicker. Less than
    the sharp video's says that details are missing which could flicker: of a blurry video it is the least.
    """

    restored: NDArray[np.float64]
    sharp: NDArray[np.float64]

    @property
    def excess(self) -> float:
        """Mean of restored - sharp, in code values."""
        return float((self.restored - self.sharp).mean())


def stability(restored: Sequence[Image], sharp: Sequence[Image]) -> Stability:
    """Mean absolute difference of consecutive frames after alignment by the sharp video's flow, of both videos.

    restored, sharp: the same frames of two videos, uint8 RGB [H, W, 3] each, at least 12 px a side. Flow by DIS (Kroeger et al.
    2016) from each sharp frame to the next; pixels that it takes out of the picture are left out, the same ones in both videos.

    Raises:
        ValueError: fewer than two frames, or videos of different lengths or sizes.
    """
    if len(sharp) < 2 or len(restored) != len(sharp) or any(a.shape != b.shape for a, b in zip(restored, sharp, strict=True)):
        raise ValueError(f"Two videos of the same size and length, of two frames or more (got {len(restored)} and {len(sharp)}).")
    changes = [
        (_change(*seen, places), _change(*true, places))
        for seen, true, places in zip(pairwise(restored), pairwise(sharp), _places(sharp), strict=True)
    ]
    return Stability(*np.array(changes, np.float64).T)


def _places(frames: Iterable[Image]) -> Iterator[NDArray[np.float32]]:
    """For each two frames, where the pixels of the first lie in the second: float32 [H, W, 2], x and y."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    lumas = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames)
    for before, after in pairwise(lumas):
        height, width = before.shape
        grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=-1)
        yield grid + flow.calc(before, after, None)  # type: ignore[call-overload]


def _change(before: Image, after: Image, places: NDArray[np.float32]) -> float:
    """Mean absolute difference, in code values, of a frame and the next one brought back to it."""
    height, width = before.shape[:2]
    inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=-1)
    aligned = cv2.remap(after.astype(np.float32), places, None, cv2.INTER_CUBIC)  # type: ignore[call-overload]
    return float(np.abs(before - aligned)[inside].mean())
