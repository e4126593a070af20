"""The size of the crop of a face: the smallest that shows what the frame does, so that no pixels are enlarged to be restored."""

from __future__ import annotations

from collections.abc import Sequence

SHRUNK = 1.1
"""Largest ratio of a window to a smaller crop that is taken for it.

The next size takes half as long again or more, and little is lost: what is added to the frame is a residual, so the frame keeps
what the crop does not show, and the finest tenth of the frequencies of a blurred face in a compressed frame is mostly noise.
Between 1 and 1.1, a face keeps the size that it had, so that it does not alternate: windows that a tracker smooths change by less
from frame to frame while a face stays where it is.
"""


def smallest_fitting(side: float, sizes: Sequence[int], present: int | None = None) -> int:
    """Return the size of the crop for a window.

    Args:
        side: Side of the window in pixels of the frame.
        sizes: Sides of crops to choose from, smallest first.
        present: Size of the former crop of this face; a smaller one is taken when the window is not shrunk at all.

    Returns:
        The smallest size by which the window is not shrunk, or by little; the largest one if there is none.
    """
    for size in sizes:
        if side <= size * (1.0 if present is not None and size < present else SHRUNK):
            return size
    return sizes[-1]
