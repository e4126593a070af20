"""When a window of variable length averaging is large enough: the three stop conditions of the paper (Sec. 3.4), each a rule.

- (i) `overlap`: the facial parts of its first and last frame must still overlap;
- (ii) `quality`: the running average must be like the middle frame (SSIM of luma);
- (iii) `motion`: the motion must not swing back (`oscillation`) and something must move (`still`); a shot must not end (`cut`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from streamdeblur.kernels.similarity import ssim
from streamdeblur.setting_types import LARGEST_COUNT
from streamdeblur.settings import Settings
from streamdeblur.training.blur.observation import Observation

StoppedBy = Literal["overlap", "quality", "oscillation", "cut", "still", "longest", "end", "predefined"]


class StopRules(Settings):
    """When a window of VLA is large enough. Frozen; motions are fractions of the frame's longer side."""

    least_overlap: float = Field(default=0.05, ge=0, le=1, description="(i) Mean overlap of the parts of first and last frame.")
    least_similarity: float = Field(default=0.8, ge=0, le=1, description="(ii) SSIM of the average and the middle frame.")
    least_progress: float = Field(default=0.5, ge=0, le=1, description="(iii) Net motion over path; below it the motion swings.")
    swing_from: float = Field(default=0.012, ge=0, le=1e6, description="(iii) Shortest path that is checked for swinging.")
    still_below: float = Field(
        default=0.004, ge=0, le=1e6, description="(iii) Path over `patience` frames below which nothing moves."
    )
    patience: int = Field(
        default=11, ge=3, le=LARGEST_COUNT, description="(iii) Frames after which a window without motion ends."
    )
    longest: int = Field(default=21, ge=3, le=255, description="Most frames of a window.")

    def overlap(self, first: Observation, last: Observation) -> bool:
        """Check rule (i): whether the parts of every face in both frames still overlap; True without faces."""
        shared = first.faces.keys() & last.faces.keys()
        return all(parts_overlap(first.faces[name], last.faces[name]) >= self.least_overlap for name in shared)

    def quality(self, average: NDArray[np.uint8], middle: NDArray[np.uint8]) -> bool:
        """Check rule (ii): whether the average is still like the middle frame; luma, uint8 [h, w]."""
        return ssim(average, middle) >= self.least_similarity

    def motion(self, path: float, net: float, length: int, side: float) -> Literal["oscillation", "still"] | None:
        """Check rule (iii), apart from cuts.

        Args:
            path: Length of the motion in pixels.
            net: Length of the net displacement in pixels.
            length: Frames of the window.
            side: Longer side of the frame in pixels.

        Returns:
            The rule that the motion breaks; None where it breaks none.
        """
        if path >= self.swing_from * side and net < self.least_progress * path:
            return "oscillation"
        if length >= self.patience and path < self.still_below * side:
            return "still"
        return None


def parts_overlap(first: NDArray[np.float32], last: NDArray[np.float32]) -> float:
    """Return the mean over the parts, float32 [parts, 4], of the intersection relative to the smaller area."""
    total = 0.0
    # plain numbers: NumPy is slower for so few
    for (x0, y0, x1, y1), (u0, v0, u1, v1) in zip(first.tolist(), last.tolist(), strict=True):
        width, height = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
        if width > 0 and height > 0:
            total += width * height / min((x1 - x0) * (y1 - y0), (u1 - u0) * (v1 - v0))
    return total / len(first)
