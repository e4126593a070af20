"""How a face has moved since the frame before, by its picture: much faster than a detection, and to a tenth of a pixel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamdeblur.kernels.alignment import align
from streamdeblur.kernels.window import sample_component
from streamdeblur.video.planes import Planes

REACH = 1.2
"""Side of the picture of a face, in face sizes."""
TEMPLATE, PICTURE = 32, 48
"""Sides in pixels of the picture of the frame before, and of the part of this frame in which it is searched: motion by a sixth of
a face is followed, beyond what was predicted."""
SAME = 0.95
"""Least correlation of the two. With sensor noise and blur along 9 px, a face that was found exceeds 0.98; one that was not, as
after a jump, stays below 0.85."""
GROWTH = 1.1
"""Largest ratio of the sizes of a face in two frames."""


@dataclass(eq=False)
class FaceFlow:
    """The picture of a face in the last frame."""

    _template: NDArray[np.float32] | None = None
    _side: float = 0.0
    """Of the template, in pixels of the frame."""
    _picture: NDArray[np.float32] = field(default_factory=lambda: np.empty((PICTURE, PICTURE), np.float32))
    _place: NDArray[np.float64] = field(default_factory=lambda: np.empty(3))

    def find(self, planes: Planes, centre: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Find the face in this frame.

        Args:
            planes: The frame.
            centre: float64 [2], where it is expected.

        Returns:
            Its centre, float64 [2]; None where nothing looks like it. How much it has grown is not told: where blur comes and
            goes, detections know its size better.
        """
        if self._template is None:
            return None
        unit = self._side / TEMPLATE
        _read(planes, centre, PICTURE * unit, self._picture)
        alike = align(self._template, self._picture, self._place)
        x, y, scale = self._place
        inside = max(abs(x), abs(y)) <= (PICTURE - TEMPLATE) / 2
        # comparisons with NaN are false
        if not (alike >= SAME and inside and 1 / GROWTH < scale < GROWTH):
            return None
        return centre + unit * self._place[:2]

    def keep(self, planes: Planes, centre: NDArray[np.float64], size: float) -> None:
        """Keep the picture of a face of `size` pixels in this frame."""
        if self._template is None:
            self._template = np.empty((TEMPLATE, TEMPLATE), np.float32)
        self._side = REACH * size
        _read(planes, centre, self._side, self._template)

    def forget(self) -> None:
        """Forget the picture, because the face was not seen."""
        self._template = None


def _read(planes: Planes, centre: NDArray[np.float64], side: float, out: NDArray[np.float32]) -> None:
    """Read the square of the first component around a place."""
    left, top = centre - side / 2
    grid = planes.component_grid(left, top)[0]
    grid[1::2] *= side / len(out)
    sample_component(planes.channels[0], planes.memory[0], grid, out)
