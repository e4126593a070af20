"""Clips with known motion, made from the photograph of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
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


def shaken(picture, seed, longest=34):
    """An exposure by a shaking camera: uint8 [H, W, 3] blurred along a bent path of 4 to `longest` pixels, with noise."""
    random = np.random.default_rng(seed)
    times = np.linspace(-0.5, 0.5, 200)[:, None]
    angle, length = random.uniform(0, 2 * np.pi), random.uniform(4, longest)
    path = length * (times * [np.cos(angle), np.sin(angle)] + times**2 * random.normal(0, 0.3, 2))
    kernel = np.zeros((longest + 7, longest + 7), np.float32)
    columns, rows = np.rint(path - path.mean(0)).astype(int).T + len(kernel) // 2
    np.add.at(kernel, (rows.clip(0, longest + 6), columns.clip(0, longest + 6)), 1 / len(path))
    blurred = cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.clip(blurred + random.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)
