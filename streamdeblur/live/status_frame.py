"""A frame with a status message, shown while the source delivers none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.video.copying import copy_frame
from streamdeblur.video.drawing import draw_picture
from streamdeblur.video.planes import upright_planes
from streamdeblur.video.turning import turned_size

if TYPE_CHECKING:
    import av

GRAY = 40
WHITE = (235, 235, 235)


def status_frame(text: str, like: av.VideoFrame) -> av.VideoFrame:
    """Draw a dark frame with one line of text, of the size, pixel format and rotation of `like`, which can be edited in place."""
    frame = copy_frame(like)
    planes = upright_planes(frame)
    draw_picture(planes, status_picture(text, *turned_size(planes.width, planes.height, planes.turn)), 0, 0)
    return frame


def status_picture(text: str, width: int, height: int) -> NDArray[np.uint8]:
    """Draw one line of text on a dark background: uint8 [H, W, 3] in grays."""
    picture = np.full((height, width, 3), GRAY, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, _), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = 0.9 * width / max(text_width, 0.5 * width)
    (text_width, text_height), _ = cv2.getTextSize(text, font, scale, 2)
    cv2.putText(picture, text, ((width - text_width) // 2, (height + text_height) // 2), font, scale, WHITE, 2, cv2.LINE_AA)
    return picture
