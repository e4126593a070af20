"""Pictures within a page that needs no other file."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray


def data_url(picture: NDArray[np.uint8], quality: int = 90) -> str:
    """Encode a picture, uint8 RGB [H, W, 3], as a ``data:`` URL of a JPEG, so that a page needs no other file."""
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
