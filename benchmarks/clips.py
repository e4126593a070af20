"""Clips for the benchmarks: real footage where it is given, else a hand-held camera over the photograph of the demonstration."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2

from streamdeblur.demo.camera import HandheldCamera
from streamdeblur.demo.run import group_photograph

WORK = Path(__file__).parent / "work"
SIZE = (1280, 720)
FPS = 25


def faces_clip(faces: int, seconds: float, fps: int = FPS, size: tuple[int, int] = SIZE, *, covered: bool = False) -> Path:
    """A clip with this many blurred faces (0 to 6), of about 140 px in 720p, in H.264, made once.

    The other faces of the photograph are blurred so much that detectors find few of them; `covered` leaves nothing to find.
    """
    WORK.mkdir(exist_ok=True)
    shape = ("" if size == SIZE else f"_{size[0]}x{size[1]}") + ("_covered" if covered else "")
    path = WORK / f"faces_{faces}_{seconds:.3g}s_{fps}fps{shape}.mp4"
    if path.is_file():
        return path
    partial = path.with_suffix(".partial.mp4")
    with av.open(str(partial), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, picture in enumerate(_pictures(faces, round(seconds * fps), fps, size, covered)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace="itu709")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    partial.rename(path)
    return path


def _pictures(faces: int, count: int, fps: int, size: tuple[int, int], covered: bool):
    """The camera's frames, forwards and then backwards; the faces that are not wanted are blurred away."""
    photograph = group_photograph()
    centres = [(796, 412), (320, 207), (517, 337), (113, 329), (1178, 332), (954, 134)]
    for x, y in centres[faces:]:
        patch = photograph[max(0, y - 110) : y + 110, max(0, x - 90) : x + 90]
        patch[:] = patch.mean((0, 1)) if covered else cv2.GaussianBlur(patch, (0, 0), 25)
    camera = HandheldCamera(photograph, *size, fps=fps, shutter=0.6, subframes=7)
    period = [blurry for blurry, _ in camera.frames(min(count, 50))]
    cycle = period + period[-2:0:-1]
    for number in range(count):
        yield cycle[number % len(cycle)]
