"""Frames of random samples, and what is in the planes of frames."""

from __future__ import annotations

import av
import numpy as np

from streamdeblur.video.copying import line_bytes, plane_lines
from streamdeblur.video.layouts import layout_of
from streamdeblur.video.planes import frame_planes

BT709, BT601, BT2020 = 1, 6, 9
LIMITED, FULL = 1, 2

PIXEL_FORMATS = (
    "yuv420p", "yuvj420p", "nv12", "nv21", "yuv422p", "yuv444p", "yuyv422", "uyvy422",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuv444p12le", "p010le",
    "rgb24", "bgr24", "rgba", "gbrp", "gbrp10le", "gray", "gray10le",
)  # fmt: skip
RARE_PIXEL_FORMATS = (
    "yuva420p", "yuv411p", "yuv410p", "yuv440p", "nv16", "nv24", "p016le", "p210le", "argb", "0bgr", "rgb48le", "bgra64le",
)  # fmt: skip


def random_frame(pixel_format, width=96, height=72, seed=0, colorspace=BT709, color_range=LIMITED):
    """A frame of smooth random samples within the code range of its format."""
    frame = av.VideoFrame(width, height, pixel_format)
    frame.colorspace, frame.color_range = colorspace, color_range
    layout = layout_of(pixel_format)
    random = np.random.default_rng(seed)
    for plane in frame.planes:
        samples = np.frombuffer(plane, layout.dtype)
        lines = samples.reshape(-1, plane.line_size // samples.itemsize)
        coarse = random.uniform(0.1, 0.9, (lines.shape[0] // 8 + 2, lines.shape[1] // 8 + 2))
        smooth = np.kron(coarse, np.ones((8, 8)))[: lines.shape[0], : lines.shape[1]]
        noise = random.uniform(-0.08, 0.08, lines.shape)
        lines[:] = ((smooth + noise) * layout.maximum).astype(lines.dtype) << layout.shift
    return frame


def plane_bytes(frame):
    """The bytes of each plane without the padding of its lines: uint8 [lines, bytes]."""
    return [plane_lines(plane)[: plane.height, : line_bytes(frame, index)].copy() for index, plane in enumerate(frame.planes)]


def code_values(frame):
    """The code values of every array of a frame's planes, as int."""
    planes = frame_planes(frame)
    return [array.astype(int) >> planes.layout.shift for array in planes.arrays]
