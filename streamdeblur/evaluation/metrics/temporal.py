"""Temporal stability: how much a restored video changes from frame to frame, apart from motion, compared to the sharp one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image


@dataclass(frozen=True, eq=False)
class TemporalStability:
    """The change from each frame to the next apart from motion, in code values: float64 [T - 1].

    In the sharp video it is caused by noise, lighting and errors of the optical flow; what the restored video has more is
    flicker. If it has less, it lacks details that could flicker, as a blurry video does.
    """

    restored: NDArray[np.float64]
    sharp: NDArray[np.float64]

    @property
    def excess(self) -> float:
        """Mean of restored - sharp, in code values."""
        return float((self.restored - self.sharp).mean())


def temporal_stability(restored: Sequence[Image], sharp: Sequence[Image]) -> TemporalStability:
    """Measure the mean absolute difference of consecutive frames, aligned by the sharp video's optical flow, for both videos.

    The flow is computed by DIS (Kroeger et al. 2016) from each sharp frame to the next. Pixels that it moves out of the picture
    are left out in both videos.

    Args:
        restored: Frames of the restored video, uint8 RGB [H, W, 3] each, at least 12 px a side.
        sharp: The same frames of the sharp video.

    Raises:
        ValueError: There are fewer than two frames, or the videos differ in length or size.
    """
    if len(sharp) < 2 or len(restored) != len(sharp) or any(a.shape != b.shape for a, b in zip(restored, sharp, strict=True)):
        raise ValueError(f"Two videos of the same size and length, of two frames or more (got {len(restored)} and {len(sharp)}).")
    changes = [
        (_change(*restored_pair, targets), _change(*sharp_pair, targets))
        for restored_pair, sharp_pair, targets in zip(pairwise(restored), pairwise(sharp), flow_targets(sharp), strict=True)
    ]
    return TemporalStability(*np.array(changes, np.float64).T)


def flow_targets(frames: Sequence[Image]) -> Iterator[NDArray[np.float32]]:
    """Yield for each two consecutive frames where the pixels of the first are in the second: float32 [H, W, 2], x and y."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    lumas = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames)
    for before, after in pairwise(lumas):
        height, width = before.shape
        grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=-1)
        yield grid + flow.calc(before, after, None)  # type: ignore[call-overload]  # None: OpenCV allocates it


def _change(before: Image, after: Image, targets: NDArray[np.float32]) -> float:
    """Mean absolute difference, in code values, of a frame and the next one aligned to it."""
    height, width = before.shape[:2]
    inside = ((targets >= 0) & (targets <= (width - 1, height - 1))).all(axis=-1)
    return float(np.abs(before - aligned(after, targets))[inside].mean())


def aligned(frame: Image, targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels of a frame at these places, float32 [H, W, 2]: float32 [H, W, 3]."""
    # OpenCV's hints lack that there is no second map where the first has both places
    return np.asarray(cv2.remap(frame.astype(np.float32), targets, None, cv2.INTER_CUBIC), np.float32)  # type: ignore[call-overload]
