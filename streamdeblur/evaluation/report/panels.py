"""Rows of pictures: the blurry face, what each method made of it, the sharp one."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamdeblur.evaluation.cases import Image


@dataclass(frozen=True)
class Panel:
    """One case, shown."""

    title: str
    pictures: Mapping[str, Image]
    """Under what each is called, from left to right."""


def chosen_cases(gains: Mapping[str, float], each: int = 1) -> dict[str, Sequence[str]]:
    """The cases to show, by name of the case: of the best, the median and the worst gains, so many each."""
    ranked = sorted(gains, key=lambda case: (-gains[case], case))
    middle = max(0, (len(ranked) - each) // 2)
    return {"best": ranked[:each], "median": ranked[middle : middle + each], "worst": ranked[::-1][:each]}


def picture_address(picture: Image, quality: int = 90) -> str:
    """A picture as a ``data:`` address, so that a page needs no other file."""
    coded = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()
