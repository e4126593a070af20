"""Files of the 68-point annotation (``.pts``), and the face box that belongs to the points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Points

COUNT = 68
FOREHEAD = 0.27
"""The box around the points begins at the brows; the detector's boxes begin higher by this fraction of its height. (CenterFace on
197 annotated frames of YouTube Faces: median 0.27; the other sides agree within 0.03.)"""


def read_points(file: Path) -> Points:
    """Read a ``.pts`` file.

    Pixels in these files count from 1, as in the tools that 300-W and 300VW were annotated with.

    Returns:
        float64 [68, 2]: x and y in pixels; 0 is the centre of the first pixel.

    Raises:
        InputError: It cannot be read, or does not hold 68 points.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})") from None
    values = text.partition("{")[2].partition("}")[0].split()
    try:
        points = np.array(values, np.float64).reshape(-1, 2)
    except ValueError:
        raise InputError("not a list of points") from None
    if len(points) != COUNT:
        raise InputError(f"{len(points)} points instead of {COUNT}")
    if not np.isfinite(points).all() or not np.ptp(points, axis=0).all():
        raise InputError("points do not form a face")
    return points - 1.0


def face_box_of(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the face box (x0, y0, x1, y1 in pixels) of annotated points [68, 2]: around them, extended over the forehead."""
    # Points are centres of pixels, boxes are edges.
    low, high = points.min(axis=0) + 0.5, points.max(axis=0) + 0.5
    return np.array([low[0], low[1] - FOREHEAD * (high[1] - low[1]), high[0], high[1]], np.float64)
