"""Rows of pictures: the blurry face, the results of each method, the sharp face; the same with landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from streamdeblur.evaluation.cases import Image

MAGNIFICATION = 2
"""Of pictures with landmarks, whose dots would else cover the features."""
FOUND, TRUE = (64, 255, 64), (255, 96, 255)
"""Colours of landmarks, RGB."""


@dataclass(frozen=True)
class Panel:
    """The pictures of one case."""

    title: str
    pictures: Mapping[str, Image]
    """Pictures by caption, from left to right."""


def chosen_cases(gains: Mapping[str, float], each: int = 1) -> dict[str, Sequence[str]]:
    """Choose the cases to show: `each` of the best, the median and the worst gains.

    Args:
        gains: By name of the case.
        each: Number of cases of each kind.
    """
    ranked = sorted(gains, key=lambda case: (-gains[case], case))
    middle = max(0, (len(ranked) - each) // 2)
    return {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[::-1][:each]}


def with_landmarks(picture: Image, found: ArrayLike | None, true: ArrayLike | None = None) -> Image:
    """Draw landmarks over a picture (Figs. 13 to 19 of the paper).

    Args:
        picture: uint8 RGB [H, W, 3].
        found: The landmarks that were found in it, [68, 2] in pixels: green dots.
        true: Where they should be: lines of another colour from there to those found, or dots if none were.

    Returns:
        uint8 RGB [2 H, 2 W, 3].
    """
    height, width = picture.shape[:2]
    drawn = cv2.resize(picture, (MAGNIFICATION * width, MAGNIFICATION * height), interpolation=cv2.INTER_CUBIC)
    wanted, own = _pixels(true), _pixels(found)
    for start, end in zip(wanted, own, strict=True) if len(own) and len(wanted) else ():
        cv2.line(drawn, start, end, TRUE, 1, cv2.LINE_AA)
    for points, colour in ((own, FOUND), (() if len(own) else wanted, TRUE)):
        for point in points:
            cv2.circle(drawn, point, 2, colour, -1, cv2.LINE_AA)
    return np.asarray(drawn, np.uint8)


def _pixels(points: ArrayLike | None) -> list[list[int]]:
    """Pixels of the magnified picture; none for unknown points."""
    if points is None:
        return []
    return [[int(x), int(y)] for x, y in np.rint((np.asarray(points, np.float64) + 0.5) * MAGNIFICATION - 0.5)]
