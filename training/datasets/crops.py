"""Crops of stills and clips: squares of 256 px around a face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.kernels.light import read_light, write_codes
from streamdeblur.training.blur.averaging import Clip
from streamdeblur.training.blur.response import Response
from streamdeblur.training.blur.synthetic import light_table

CROP = CROP_SIZE
"""Side of a crop in pixels."""
CENTRE_JITTER = 0.04
"""By how much of its side a window may be off centre, either way."""
SIZE_JITTER = (0.8, 1.25)
"""A face whose window at the clip's own resolution is this many times a crop's is cut out as it is: resampling costs
sharpness."""
STILL_JITTER, STILL_SCALES = 0.3, (0.85, 1.15)
"""Share of stills that are resampled, and to which sizes."""

Image = NDArray[np.uint8]
Light = NDArray[np.float32]


def face_square(random: np.random.Generator, clip: Clip, frame: int) -> tuple[int, int, int]:
    """Where the window of a face begins in a frame (x, y), and its side; 256 wherever that fits the face.

    Without a face box it is the frame's middle. It may hang over the border.
    """
    height, width = clip.frames.shape[1:3]
    if clip.boxes is None:
        centre_x, centre_y, side = width / 2, height / 2, float(min(height, width))
    else:
        x0, y0, x1, y1 = (float(v) for v in clip.boxes[frame])
        centre_x, centre_y, side = (x0 + x1) / 2, (y0 + y1) / 2, WINDOW_SCALE * max(x1 - x0, y1 - y0)
    fits = SIZE_JITTER[0] <= side / CROP <= SIZE_JITTER[1]
    whole = CROP if fits else max(16, round(side))
    off_x, off_y = random.uniform(-CENTRE_JITTER, CENTRE_JITTER, 2)
    return round(centre_x + off_x * whole - whole / 2), round(centre_y + off_y * whole - whole / 2), whole


def part_of(random: np.random.Generator, left: int, top: int, side: int, size: int) -> tuple[int, int, int]:
    """Where a random part of a crop's square begins, and its side: that of `size` of the crop's 256 px."""
    part = round(side * size / CROP)
    across, down = random.integers(0, side - part + 1, 2).tolist() if part < side else (0, 0)
    return left + across, top + down, part


def square(frame: Image, left: int, top: int, side: int, response: Response, size: int = CROP) -> Image:
    """A square of a frame at the size of a crop or of a part of one: uint8 [size, size, 3], resampled in light where its side
    differs; mirrored beyond the border."""
    crop = np.empty((size, size, 3), np.uint8)
    if side == size:
        read_light(frame, left, top, np.arange(256, dtype=np.uint8), crop)
        return crop
    light = np.empty((side, side, 3), np.float32)
    read_light(frame, left, top, light_table(response), light)
    write_codes(resized(light, size), response.full, response.to_code, crop)
    return crop


def resized(light: Light, size: int) -> Light:
    """Square light, float32 [side, side, 3], at another size: float32 [size, size, 3]."""
    side = light.shape[0]
    if side == size:
        return light
    way = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.maximum(cv2.resize(light, (size, size), interpolation=way), np.float32(0.0))


def scaled(image: Image, scale: float) -> Image:
    """A picture resampled; where it becomes smaller than a crop, its border is mirrored."""
    height, width = (round(side * scale) for side in image.shape[:2])
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR if scale < 1.0 else cv2.INTER_CUBIC)
    right, below = max(0, CROP - width), max(0, CROP - height)
    if right or below:
        borders = below // 2, below - below // 2, right // 2, right - right // 2
        resized = cv2.copyMakeBorder(resized, *borders, cv2.BORDER_REFLECT_101)
    return np.asarray(resized, np.uint8)


def mirror(image: Image) -> Image:
    """The picture with left and right exchanged."""
    return np.asarray(cv2.flip(image, 1), np.uint8)
