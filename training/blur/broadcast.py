"""What television did to pictures: halos, video tape, and the two fields of a frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

HALO_WIDTH = 3.0
"""Standard deviation in pixels, along a line, of what a halo is the difference from."""
CHROMA_SOFTNESS = 3.0
"""How much softer a tape's colours are than its luma."""
LINE_SOFTNESS = 0.5
"""How soft a tape is across the lines, relative to along them."""


def sharpened(image: Image, amount: float) -> Image:
    """Add halos of this strength along edges, mostly upright ones, as broadcast cameras and tape recorders did.

    Args:
        image: uint8 [H, W, 3].
        amount: Share of the difference from a wider picture that is added.
    """
    wide = cv2.GaussianBlur(image, (0, 0), sigmaX=HALO_WIDTH, sigmaY=HALO_WIDTH / 3).astype(np.float32)
    return np.asarray(np.clip(np.rint(image + np.float32(amount) * (image - wide)), 0, 255), np.uint8)


def taped(image: Image, softness: float) -> Image:
    """Let only slow changes along a line through, those of the colours slower still, as a video tape does.

    Args:
        image: uint8 RGB [H, W, 3].
        softness: Standard deviation of the low-pass of the luma along a line, in pixels.
    """
    luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    across = LINE_SOFTNESS * softness
    soft = [
        cv2.GaussianBlur(plane, (0, 0), sigmaX=sigma, sigmaY=across)
        for plane, sigma in ((luma, softness), (red, CHROMA_SOFTNESS * softness), (blue, CHROMA_SOFTNESS * softness))
    ]
    return np.asarray(cv2.cvtColor(cv2.merge(soft), cv2.COLOR_YCrCb2RGB), np.uint8)


def combed(image: Image, moved: tuple[float, float]) -> Image:
    """Take every second line from half a frame before, as interlaced video does that was woven into frames.

    Args:
        image: uint8 [H, W, 3].
        moved: Pixels (x, y) by which the picture moved since then.
    """
    height, width = image.shape[:2]
    shift = np.array([[1.0, 0.0, -moved[0]], [0.0, 1.0, -moved[1]]])
    before = cv2.warpAffine(image, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    woven = image.copy()
    woven[1::2] = before[1::2]
    return woven
