"""TrackedFace: a face of a frame as the setting `only` is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""


@dataclass(frozen=True)
class TrackedFace:
    """A face of a frame, and its track."""

    track_id: int | None
    """Number of its track; None where a tracker of the caller's gives none."""
    box: Box
    """x0, y0, x1, y1 in pixels of the upright picture, as players show it."""
    frame_size: tuple[int, int]
    """Width and height of the upright picture in pixels."""

    @property
    def size(self) -> float:
        """Longer side of the box in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self) -> tuple[float, float]:
        """x and y of the middle of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2
