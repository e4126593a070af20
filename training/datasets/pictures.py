"""Decoding and encoding of pictures."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.errors import InputError

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
SMALLEST_PICTURE = 128
"""Shorter side in pixels of the smallest picture that is enlarged."""
JPEG_QUALITY = 98
"""Visually lossless, with full colour resolution: about 45 kB for 256 px."""


def decode_picture(content: bytes, size: int | None = None, *, smallest: int = SMALLEST_PICTURE) -> NDArray[np.uint8]:
    """Decode a picture, upright by its EXIF orientation.

    Args:
        content: The file.
        size: Side of the central square to return, resized by area averages or cubic interpolation; None for the whole picture.
        smallest: Shortest side in pixels that is enlarged to `size`.

    Returns:
        uint8 RGB [H, W, 3], or [size, size, 3].

    Raises:
        InputError: The picture cannot be decoded, or is too small.
    """
    try:
        # IMREAD_COLOR turns pictures upright
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as error:
        raise InputError(f"cannot be decoded: {error.err}") from None
    if decoded is None:
        raise InputError("not a decodable picture" if content else "empty file")
    if size is not None:
        decoded = _square(decoded, size, min(size, smallest))
    return np.ascontiguousarray(decoded[..., ::-1]).astype(np.uint8, copy=False)


def _square(picture: cv2.typing.MatLike, size: int, smallest: int) -> cv2.typing.MatLike:
    height, width = picture.shape[:2]
    side = min(height, width)
    if side < smallest:
        raise InputError(f"only {width} x {height} pixels")
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    if side == size:
        return square
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)


def jpeg_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Encode a picture, uint8 RGB [H, W, 3], as JPEG."""
    settings = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return cv2.imencode(".jpg", rgb[..., ::-1], settings)[1].tobytes()


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Encode a picture, uint8 RGB [H, W, 3], as PNG."""
    return cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()


def first_frame(video: bytes) -> NDArray[np.uint8]:
    """Decode the first frame of a video file in memory, uint8 RGB [H, W, 3]. Raises InputError where it cannot be decoded."""
    import av

    try:
        with av.open(io.BytesIO(video), "r") as container:
            return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except (av.FFmpegError, OSError, IndexError, StopIteration) as error:
        raise InputError(f"a clip cannot be decoded: {error}") from None
