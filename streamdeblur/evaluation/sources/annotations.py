"""The 68-point mark-up: reading it, and the face that it marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Points

COUNT = 68
FOREHEAD = 0.27
"""By how much of its height the box of the points, which begins at the brows, is raised to be a face box as the detector draws
it. (CenterFace on 197 marked frames of YouTube Faces: median 0.27; the other sides agree within 0.03.)"""


def read_points(file: Path) -> Points:
    """The points of a ``.pts`` file, float64 [68, 2], x and y in pixels, 0 being the middle of the first one.

    Files count from 1, as the tools that 300-W and 300VW were marked with do.

    Raises:
        InputError: it cannot be read, or does not hold 68 points.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"it cannot be read ({error})") from None
    values = text.partition("{")[2].partition("}")[0].split()
    try:
        points = np.array(values, np.float64).reshape(-1, 2)
    except ValueError:
        raise InputError("it is no list of points") from None
    if len(points) != COUNT:
        raise InputError(f"it holds {len(points)} points instead of {COUNT}")
    if not np.isfinite(points).all() or not np.ptp(points, axis=0).all():
        raise InputError("its points are no face")
    return points - 1.0


def marked_box(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The face box (x0, y0, x1, y1 in pixels) of marked points [68, 2]: around them, and raised over the forehead."""
    # (points are middles of pixels, boxes are edges)
    low, high = points.min(axis=0) + 0.5, points.max(axis=0) + 0.5
    return np.array([low[0], low[1] - FOREHEAD * (high[1] - low[1]), high[0], high[1]], np.float64)
