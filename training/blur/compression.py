"""Degradations of a stream: a smaller size, JPEG, H.264."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

FPS = 30


def down_and_up(image: Image, factor: float) -> Image:
    """Resize `image`, uint8 [H, W, 3], to a size `factor` times smaller and back: bilinear, as scalers of live video are."""
    height, width = image.shape[:2]
    small = max(1, round(width / factor)), max(1, round(height / factor))
    smaller = cv2.resize(image, small, interpolation=cv2.INTER_LINEAR)
    return cast(Image, cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR))


def jpeg(image: Image, quality: float) -> Image:
    """Compress `image`, uint8 RGB [H, W, 3], as JPEG of this quality (1 to 100) with halved chroma, as most cameras do."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, round(quality)]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return cast(Image, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def h264(image: Image, quantiser: float, moved: tuple[float, float]) -> Image:
    """Compress an image as the second frame of an H.264 stream, predicted from the first one.

    The stream is in memory and its own: the result depends on the arguments alone.

    Args:
        image: uint8 RGB [H, W, 3] with even sides.
        quantiser: Of the P frame, 0 to 51.
        moved: Pixels (x, y) by which the picture moved since the frame before.

    Returns:
        uint8 RGB [H, W, 3].
    """
    height, width = image.shape[:2]
    shift = np.array([[1.0, 0.0, -moved[0]], [0.0, 1.0, -moved[1]]])
    before = cv2.warpAffine(image, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return h264_stream([np.asarray(before, np.uint8), image], quantiser)[-1]


def h264_stream(images: Sequence[Image], quantiser: float) -> list[Image]:
    """Compress images as an H.264 stream; each but the first is predicted from the one before.

    The stream is in memory and its own: the result depends on the arguments alone.

    Args:
        images: uint8 RGB [H, W, 3] with even sides.
        quantiser: Of the P frames, 0 to 51.
    """
    height, width = images[0].shape[:2]
    encoder = _encoder(width, height, round(quantiser))
    decoder = av.CodecContext.create("h264", "r")
    # one thread: several decoding threads would hold frames back
    decoder.thread_count = 1
    assert isinstance(decoder, av.VideoCodecContext)
    decoded: list[av.VideoFrame] = []
    for number, picture in enumerate(images):
        planes = cast(Image, cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420))
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        for packet in encoder.encode(frame):
            decoded += decoder.decode(packet)
    decoded += decoder.decode(None)
    return [cast(Image, cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2RGB_I420)) for frame in decoded]


def _encoder(width: int, height: int, quantiser: int) -> av.VideoCodecContext:
    """Open an encoder with the settings of live streams: fast, and without frames that wait for later ones."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.thread_count = Fraction(1, FPS), 1
    # The fastest preset, with the entropy coding and deblocking that cameras use. Without scenecut=0, a picture that differs
    # much from the one before would become an intra frame.
    settings = "scenecut=0:cabac=1:no-deblock=0"
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "qp": str(quantiser), "x264-params": settings}
    return encoder
