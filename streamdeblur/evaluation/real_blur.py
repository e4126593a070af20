"""Frames of a clip that were blurred when they were filmed, by fast turns and nods or by the camera (Sec. 5.6 of the paper).

No sharp version of such a frame exists. What is known is whom it shows: another frame of the same track is sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image
from streamdeblur.evaluation.metrics.fidelity import sharpness_without_reference
from streamdeblur.faces.gain import FACE_BEGIN, FACE_END
from streamdeblur.training.blur.observation import Observation

REACH = 60
"""Frames before and after a frame that it is compared with, about two seconds each: over a longer time, the blur effect also
changes with a face that comes nearer or turns away."""
SHARPEST = 25.0
"""Percentage of those frames that count as sharp: the ones with the least blur effect."""
RISE = 0.04
"""A blurry frame's blur effect is at least this much above that of every sharp frame around it. In 16 of 18 public clips of
people who talk, it spans less than this from the tenth to the ninetieth percentile."""
MOTION = 1.5
"""Pixels of a crop of 256 px by which a face moves at least from a blurry frame to the one before or after it: a face that is out
of focus, or turned away and rests, is not blurred by motion."""
CELL = 16
"""Pixels of a crop in the units of `FACE_BEGIN`."""


@dataclass(frozen=True)
class BlurryFrame:
    """A frame that motion has blurred, and the sharp frame of the same face that is nearest in time."""

    number: int
    reference: int
    """Number of the sharp frame."""
    blur: float
    """Blur effect of the face, in [0, 1]."""
    sharp_blur: float
    """The largest blur effect of a sharp frame around it."""
    motion: float
    """Motion of the face from one frame to the next, in pixels of the crop."""

    @property
    def record(self) -> dict[str, Any]:
        """The values as a case keeps them."""
        return {
            "frame": self.number,
            "reference_frame": self.reference,
            "blur": round(self.blur, 3),
            "sharp_blur": round(self.sharp_blur, 3),
            "motion_px": round(self.motion, 2),
        }


def blurry_frames(crops: Sequence[Image], observed: Sequence[Observation], scales: Sequence[float]) -> list[BlurryFrame]:
    """Find the frames of a track that motion has blurred.

    Args:
        crops: The crop of the face in each frame, uint8 RGB [S, S, 3].
        observed: Each frame, observed.
        scales: Pixels of each crop per pixel of its frame.

    Returns:
        Those frames in the order of time; a frame that repeats the one before is left out.
    """
    blurs = np.array([_blur_of(crop) for crop in crops])
    steps = np.array([frame.path * scale for frame, scale in zip(observed, scales, strict=True)])
    motions = np.maximum(steps, np.append(steps[1:], 0.0))
    found = []
    for number in np.flatnonzero(motions >= MOTION).tolist():
        around = slice(max(0, number - REACH), number + REACH + 1)
        level = float(np.percentile(blurs[around], SHARPEST))
        if blurs[number] >= level + RISE and not observed[number].repeated:
            sharp = around.start + np.flatnonzero(blurs[around] <= level)
            found.append(BlurryFrame(number, _nearest(sharp, number), float(blurs[number]), level, float(motions[number])))
    return found


def _blur_of(crop: Image) -> float:
    face = slice(FACE_BEGIN * CELL, FACE_END * CELL)
    return 1.0 - sharpness_without_reference(crop[face, face])


def _nearest(numbers: NDArray[np.intp], number: int) -> int:
    return int(numbers[np.abs(numbers - number).argmin()])
