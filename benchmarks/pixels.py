"""Crop and paste compared with a conversion of the whole frame to RGB and back, as in most tools."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import av
import cv2
import numpy as np

from harness import Row, alternate, ratio
from streamdeblur.demo.run import group_photograph
from streamdeblur.faces.window import FaceWindow, RestoredCrop, crop, paste
from streamdeblur.video.planes import frame_planes

REPEATS = 30
WINDOW = FaceWindow(640.0, 360.0, 300.0)


def _milliseconds(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        times = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return 1000 * statistics.median(times)

    return run


def measure(rounds: int) -> list[Row]:
    """Measure one face of a 720p and a 1080p frame in yuv420p."""
    rows = []
    for name, size in (("720p", (1280, 720)), ("1080p", (1920, 1080))):
        picture = cv2.resize(group_photograph(), size)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        planes = frame_planes(frame)
        restored = np.clip(crop(planes, WINDOW).astype(int) + 3, 0, 255).astype(np.uint8)

        def kernels(planes=planes, restored=restored) -> None:
            cropped = crop(planes, WINDOW)
            paste(planes, [RestoredCrop(WINDOW, cropped, restored)])

        def through_rgb(frame=frame, restored=restored) -> None:
            rgb = frame.to_ndarray(format="rgb24")
            left, top, side = int(WINDOW.left), int(WINDOW.top), int(WINDOW.side)
            part = rgb[top : top + side, left : left + side]
            cv2.resize(part, (256, 256), interpolation=cv2.INTER_AREA)
            ramp = np.clip(np.minimum(np.arange(side), np.arange(side)[::-1]) / (0.15 * side), 0, 1).astype(np.float32)
            mask = (ramp[:, None] * ramp[None])[..., None]
            enlarged = cv2.resize(restored, (side, side), interpolation=cv2.INTER_CUBIC)
            part[:] = (mask * enlarged + (1 - mask) * part).astype(np.uint8)
            av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")

        ours, theirs = alternate([_milliseconds(kernels), _milliseconds(through_rgb)], rounds)
        rows.append(
            Row(
                f"crop and paste, {name}, a face in a window of 300 px",
                f"{statistics.median(ours):.2f} ms",
                f"whole-frame RGB round trip {statistics.median(theirs):.2f} ms",
                ratio(theirs, ours),
                ">= 5",
            )
        )
    return rows
