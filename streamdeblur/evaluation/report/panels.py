"""Rows of pictures: the blurry face, the results of each method, the sharp face."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamdeblur.evaluation.cases import Image


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


def data_url(picture: Image, quality: int = 90) -> str:
    """Encode a picture as a ``data:`` URL of a JPEG, so that a page needs no other file."""
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
