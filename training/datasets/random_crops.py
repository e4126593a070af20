"""Random crops of stills and clips: squares around a face, of 256 px or as small as the face is in a frame."""

from __future__ import annotations

import cv2
import numpy as np

from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE
from streamdeblur.training.blur.averaging import FrameSequence
from streamdeblur.training.blur.view import Image, View

CROP = CROP_SIZE
"""Side of the largest crop in pixels, in which extents of blur are given."""
MINIFIED = 0.8
"""Scale below which pictures are averaged over areas, because interpolation would alias."""
CENTRE_JITTER = 0.04
"""Fraction of its side by which a window may be off centre."""
SIZE_JITTER = (0.8, 1.25)
"""A face whose window at the clip's own resolution is this many times a crop's is cut out as it is: resampling costs
sharpness."""
STILL_JITTER, STILL_SCALES = 0.3, (0.85, 1.15)
"""Fraction of stills that are resampled, and to which sizes."""


def face_view(random: np.random.Generator, clip: FrameSequence, frame: int, crop: int = CROP, *, jitter: bool = True) -> View:
    """Sample the window of a face in a frame; without a face box, of the frame's middle.

    Args:
        random: Source of the random numbers.
        clip: Frames and face boxes.
        frame: Number of the frame.
        crop: Side of the crop in pixels.
        jitter: Whether the window may be off centre.

    Returns:
        A view of `crop` pixels. It covers 256 px of the frame wherever that fits the face, and may exceed the border.
    """
    height, width = clip.frames.shape[1:3]
    if clip.boxes is None:
        centre_x, centre_y, side = width / 2, height / 2, float(min(height, width))
    else:
        x0, y0, x1, y1 = (float(v) for v in clip.boxes[frame])
        centre_x, centre_y, side = (x0 + x1) / 2, (y0 + y1) / 2, WINDOW_SCALE * max(x1 - x0, y1 - y0)
    fits = SIZE_JITTER[0] <= side / CROP <= SIZE_JITTER[1]
    whole = CROP if fits else max(16, round(side))
    off_x, off_y = random.uniform(-CENTRE_JITTER, CENTRE_JITTER, 2) * jitter
    left, top = round(centre_x + off_x * whole - whole / 2), round(centre_y + off_y * whole - whole / 2)
    return View.square(left, top, whole, crop)


def random_part(random: np.random.Generator, view: View, size: int) -> View:
    """Sample the part of a crop's view that is `size` of the crop's pixels wide."""
    side = round(view.width * size / (view.size or view.width))
    across, down = random.integers(0, view.width - side + 1, 2).tolist() if side < view.width else (0, 0)
    return View.square(view.left + across, view.top + down, side, size, view.scale)


def scaled(image: Image, scale: float, crop: int = CROP) -> Image:
    """Resample a picture; where it becomes smaller than a crop of this side, its border is mirrored."""
    height, width = (round(side * scale) for side in image.shape[:2])
    way = cv2.INTER_CUBIC if scale >= 1.0 else cv2.INTER_LINEAR if scale >= MINIFIED else cv2.INTER_AREA
    resized = cv2.resize(image, (width, height), interpolation=way)
    right, below = max(0, crop - width), max(0, crop - height)
    if right or below:
        borders = below // 2, below - below // 2, right // 2, right - right // 2
        resized = cv2.copyMakeBorder(resized, *borders, cv2.BORDER_REFLECT_101)
    return np.asarray(resized, np.uint8)
