"""Pictures as arrays, and back."""

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
    """A picture, upright by its EXIF orientation, as uint8 RGB [H, W, 3].

    With `size`, its central square as [size, size, 3]: area averages where it is larger, cubic where it is smaller. Its
    shorter side must have `smallest` pixels, or `size` if that is less.

    Raises:
        InputError: it cannot be decoded, or is too small.
    """
    try:
        # (IMREAD_COLOR turns pictures upright)
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as error:
        raise InputError(f"it cannot be decoded: {error.err}") from None
    if decoded is None:
        raise InputError("it is no picture that can be decoded" if content else "it is empty")
    if size is not None:
        decoded = _square(decoded, size, min(size, smallest))
    return np.ascontiguousarray(decoded[..., ::-1]).astype(np.uint8, copy=False)


def _square(picture: cv2.typing.MatLike, size: int, smallest: int) -> cv2.typing.MatLike:
    height, width = picture.shape[:2]
    side = min(height, width)
    if side < smallest:
        raise InputError(f"it has only {width} x {height} pixels")
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    if side == size:
        return square
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC)


def jpeg_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 RGB [H, W, 3], as a JPEG file."""
    settings = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return cv2.imencode(".jpg", rgb[..., ::-1], settings)[1].tobytes()


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 RGB [H, W, 3], as a PNG file: without loss."""
    return cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()


def first_frame(film: bytes) -> NDArray[np.uint8]:
    """The first frame of a film in memory, uint8 RGB [H, W, 3]. Raises InputError where it cannot be decoded."""
    import av

    try:
        with av.open(io.BytesIO(film), "r") as container:
            return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except (av.FFmpegError, OSError, IndexError, StopIteration) as error:
        raise InputError(f"a clip cannot be decoded: {error}") from None
