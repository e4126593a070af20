"""Clips with known motion, made from the photograph of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class MovingFace:
    """A run of frames of one face."""

    frames: np.ndarray
    boxes: np.ndarray | None = None
    landmarks: np.ndarray | None = None


FACE = (540, 290, 650, 430)
"""Box of the middle face in the photograph."""


def panned(photograph, offsets, size=(128, 128), centre=(595, 360)):
    """A camera that looks at `centre` + each offset (x, y, whole pixels): frames and the face's boxes."""
    width, height = size
    frames, boxes = [], []
    for x, y in offsets:
        left, top = centre[0] + x - width // 2, centre[1] + y - height // 2
        frames.append(photograph[top : top + height, left : left + width])
        boxes.append([FACE[0] - left, FACE[1] - top, FACE[2] - left, FACE[3] - top])
    return MovingFace(np.stack(frames), np.array(boxes, np.float32))


def steady(step, count):
    """Offsets of a camera that moves on by `step` each frame, through no offset at the middle one."""
    return [(step * (n - count // 2), 0) for n in range(count)]
