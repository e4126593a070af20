"""Faces of the group photograph as crops."""

from __future__ import annotations

import cv2
import numpy as np


def faces_of(photograph):
    """uint8 RGB [256, 256, 3]: the faces of the group photograph, about 1.7 times the face each."""
    corners = [(384 + 30, 180 + 40)]
    squares = [photograph[y : y + 200, x : x + 200] for x, y in ((100, 150), (420, 190), (640, 170), (880, 180), *corners)]
    return [np.ascontiguousarray(cv2.resize(square, (256, 256), interpolation=cv2.INTER_CUBIC)) for square in squares]
