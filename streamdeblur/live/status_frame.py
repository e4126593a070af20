"""A frame with a status message, shown while the source delivers none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import av

GRAY = 40
WHITE = (235, 235, 235)


def status_frame(text: str, like: av.VideoFrame) -> av.VideoFrame:
    """Draw a dark frame with one line of text, of the size and pixel format of `like`."""
    import av

    picture = np.full((like.height, like.width, 3), GRAY, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = 0.9 * like.width / max(width, 0.5 * like.width)
    (width, height), _ = cv2.getTextSize(text, font, scale, 2)
    cv2.putText(picture, text, ((like.width - width) // 2, (like.height + height) // 2), font, scale, WHITE, 2, cv2.LINE_AA)
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=like.format.name)
