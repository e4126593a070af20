"""Make a blurry clip, deblur it with the real pipeline, and measure what came back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.demo.camera import HandheldCamera
from streamdeblur.errors import InputError
from streamdeblur.faces.face import Face
from streamdeblur.jobs.batch import make_folder
from streamdeblur.jobs.video import Progress, Summary, deblur_video

PANEL = 240
"""Side in pixels of a face in the before/after picture."""
PANEL_FACES = 4

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration wrote and measured."""

    blurry: Path
    restored: Path
    picture: Path
    summary: Summary
    faces: int
    """Face windows measured."""
    ssim: tuple[float, float]
    """Mean structural similarity of the face windows to the sharp frames: blurry, restored."""
    psnr: tuple[float, float]
    """The same in dB."""
    improved: float
    """Share of the face windows whose similarity rose."""


def group_photograph() -> Frame:
    """The group photo that InsightFace's wheel carries: uint8 RGB [H, W, 3]; InputError where it is missing."""
    spec = find_spec("insightface")
    folder = Path(next(iter(spec.submodule_search_locations or [""]))) if spec else Path()
    picture = cv2.imread(str(folder / "data" / "images" / "t1.jpg"))
    if picture is None:
        raise InputError("The demonstration's photograph is missing; it comes with: pip install insightface")
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8)


def run_demo(folder: Path, on_progress: Callable[[Progress], object] | None = None, seconds: float = 2.0) -> DemoResult:
    """Write ``blurry.mp4``, ``restored.mp4`` and ``before_after.png`` into `folder`, replacing those of an earlier run.

    seconds: length of the clips, 25 frames each.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    camera = HandheldCamera(group_photograph())
    frames = list(camera.frames(round(seconds * camera.fps)))
    sharp = [frame for _, frame in frames]
    blurry, restored = folder / "blurry.mp4", folder / "restored.mp4"
    _encode(blurry, [frame for frame, _ in frames], camera.fps)
    with FaceDeblurrer(throughput=True) as deblurrer:
        summary = deblur_video(blurry, restored, overwrite=True, on_progress=on_progress, deblurrer=deblurrer)
        faces = [[f for f in deblurrer.detector.detect(frame) if _whole(f, frame)] for frame in sharp]
    before, after = _decode(blurry), _decode(restored)
    scores = _measure(sharp, before, after, faces)
    picture = folder / "before_after.png"
    _draw(picture, before, after, sharp, faces, scores)
    mean = scores.mean(axis=0)
    return DemoResult(
        blurry, restored, picture, summary, len(scores), (mean[2], mean[3]), (mean[4], mean[5]),
        float((scores[:, 3] > scores[:, 2]).mean()),
    )  # fmt: skip


def _whole(face: Face, frame: Frame) -> bool:
    margin = 0.3 * face.size
    inside = (face.box[:2] >= margin).all() and (face.box[2:] <= np.array(frame.shape[1::-1]) - margin).all()
    return bool(inside and face.size >= 40)


def _encode(path: Path, frames: list[Frame], fps: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "faster"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 1
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="itu709")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _decode(path: Path) -> list[Frame]:
    import av

    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="rgb24", src_colorspace="itu709").astype(np.uint8, copy=False)
            for frame in container.decode(video=0)
        ]


def _part(frame: Frame, face: Face) -> Frame:
    x0, y0, x1, y1 = (round(float(v)) for v in face.box)
    return frame[max(y0, 0) : y1, max(x0, 0) : x1]


def _measure(sharp: list[Frame], before: list[Frame], after: list[Frame], faces: list[list[Face]]) -> NDArray[np.float64]:
    """One row per face: frame, number of the face in it, SSIM before and after, PSNR before and after."""
    metrics: Any = import_module("skimage.metrics")

    rows = []
    for number, found in enumerate(faces):
        for index, face in enumerate(found):
            reference = _part(sharp[number], face)
            parts = [_part(frames[number], face) for frames in (before, after)]
            ssim = [float(metrics.structural_similarity(reference, part, channel_axis=2)) for part in parts]
            psnr = [float(metrics.peak_signal_noise_ratio(reference, part)) for part in parts]
            rows.append([number, index, *ssim, *psnr])
    if not rows:
        raise InputError("No face was found in the demonstration's photograph.")
    return np.array(rows)


def _draw(
    path: Path, before: list[Frame], after: list[Frame], sharp: list[Frame], faces: list[list[Face]], scores: NDArray[np.float64]
) -> None:
    """Faces before (top), after (middle) and sharp (bottom): those with the strongest blur, each from another frame."""
    rows: list[list[Frame]] = [[], [], []]
    used: list[float] = []
    for number, index, *_ in scores[np.argsort(scores[:, 2])]:
        face = faces[int(number)][int(index)]
        place = float(face.box[0])
        # the same person is about as far from the left edge in every frame
        if any(abs(place - other) < 1.5 * face.size for other in used):
            continue
        used.append(place)
        for row, frames in zip(rows, (before, after, sharp), strict=True):
            row.append(_panel(frames[int(number)], face))
        if len(used) == PANEL_FACES:
            break
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    cv2.imwrite(str(path), sheet[..., ::-1])


def _panel(frame: Frame, face: Face) -> Frame:
    """The square around a face, twice its size."""
    centre_x, centre_y = (face.box[:2] + face.box[2:]) / 2
    scale = PANEL / (1.6 * face.size)
    matrix = np.array([[scale, 0, PANEL / 2 - scale * centre_x], [0, scale, PANEL / 2 - scale * centre_y]])
    return cv2.warpAffine(frame, matrix, (PANEL, PANEL), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
