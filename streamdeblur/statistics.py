"""RestorationStatistics: the counts of a deblurrer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RestorationStatistics:
    """Counts of a deblurrer since it was opened or reset."""

    frames: int = 0
    faces: int = 0
    """Faces detected, one per face and frame."""
    restored: int = 0
    skipped_sharp: int = 0
    """Faces that measured as sharp and were left as they were."""
    failed: int = 0
    """Faces for which the network returned NaN: passed through unrestored."""
    passed_through: int = 0
    """Blurred faces for which there was no time before the deadline."""
