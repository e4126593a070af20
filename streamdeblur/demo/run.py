"""The demonstration: a blurry clip is generated, deblurred, and compared with the sharp frames."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.demo.camera import HandheldCamera
from streamdeblur.errors import InputError
from streamdeblur.evaluation.metrics.fidelity import psnr, ssim
from streamdeblur.faces.face import Face
from streamdeblur.files import make_folder, refuse_existing
from streamdeblur.jobs.video import Progress, VideoSummary, deblur_video
from streamdeblur.partial_file import write_file

PANEL = 240
"""Side of a face in the before/after picture, in pixels."""
PANEL_FACES = 4
MIN_FACE = 40
"""Size of the smallest face that is measured, in pixels."""

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class DemoResult:
    """The files and measurements of the demonstration."""

    blurry: Path
    restored: Path
    picture: Path
    summary: VideoSummary
    faces: int
    """Number of faces measured, one per face and frame."""
    ssim: tuple[float, float]
    """Mean structural similarity of the faces to the sharp frames: blurry, restored."""
    psnr: tuple[float, float]
    """Mean peak signal to noise ratio in dB: blurry, restored."""
    improved: float
    """Share of the faces whose structural similarity increased."""


@dataclass(frozen=True, eq=False)
class _FaceScore:
    """How similar a face is to the sharp frame, before and after its restoration."""

    frame: int
    face: Face
    ssim: tuple[float, float]
    psnr: tuple[float, float]


def group_photograph() -> Frame:
    """Load the group photo that the InsightFace package contains: uint8 RGB [886, 1280, 3].

    Raises:
        InputError: InsightFace is not installed.
    """
    spec = find_spec("insightface")
    folder = Path(next(iter(spec.submodule_search_locations or [""]))) if spec else Path()
    picture = cv2.imread(str(folder / "data" / "images" / "t1.jpg"))
    if picture is None:
        raise InputError("The photograph of the demonstration is missing. Install it with: pip install insightface")
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8)


def run_demo(
    folder: Path, on_progress: Callable[[Progress], object] | None = None, seconds: float = 2.0, *, overwrite: bool = False
) -> DemoResult:
    """Write ``blurry.mp4``, ``restored.mp4`` and ``before_after.png`` into a folder.

    Args:
        folder: The folder; it is created if it does not exist.
        on_progress: Called with the progress of the restoration.
        seconds: Length of the clips, with 25 frames per second.
        overwrite: Replace files of these names.

    Raises:
        OutputError: The folder cannot be written, or a file exists and `overwrite` is not set.
    """
    blurry, restored, picture = (folder / name for name in ("blurry.mp4", "restored.mp4", "before_after.png"))
    make_folder(folder)
    for path in (blurry, restored, picture):
        refuse_existing(path, overwrite=overwrite)
    camera = HandheldCamera(group_photograph())
    frames = list(camera.frames(round(seconds * camera.fps)))
    sharp = [frame for _, frame in frames]
    _encode(blurry, [frame for frame, _ in frames], camera.fps)
    with FaceDeblurrer(throughput=True) as deblurrer:
        summary = deblur_video(blurry, restored, overwrite=overwrite, on_progress=on_progress, deblurrer=deblurrer)
        faces = [[face for face in deblurrer.detector.detect(frame) if _is_inside(face, frame)] for frame in sharp]
    before, after = _decode(blurry), _decode(restored)
    scores = _measure(sharp, before, after, faces)
    write_file(picture, cv2.imencode(".png", _comparison((before, after, sharp), scores)[..., ::-1])[1].tobytes())
    ssims, psnrs = (np.array(values) for values in zip(*((score.ssim, score.psnr) for score in scores), strict=True))
    return DemoResult(
        blurry, restored, picture, summary, faces=len(scores), ssim=tuple(ssims.mean(axis=0).tolist()),
        psnr=tuple(psnrs.mean(axis=0).tolist()), improved=float((ssims[:, 1] > ssims[:, 0]).mean()),
    )  # fmt: skip


def _is_inside(face: Face, frame: Frame) -> bool:
    """Whether a face and its surroundings lie inside the frame, and it is large enough to be measured."""
    margin = 0.3 * face.size
    inside = (face.box[:2] >= margin).all() and (face.box[2:] <= np.array(frame.shape[1::-1]) - margin).all()
    return bool(inside and face.size >= MIN_FACE)


def _encode(path: Path, frames: list[Frame], fps: int) -> None:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
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
    write_file(path, file.getvalue())


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


def _measure(sharp: list[Frame], before: list[Frame], after: list[Frame], faces: list[list[Face]]) -> list[_FaceScore]:
    scores = []
    for number, detected in enumerate(faces):
        for face in detected:
            reference, blurry, restored = (_part(frames[number], face) for frames in (sharp, before, after))
            scores.append(
                _FaceScore(
                    number, face, ssim=(ssim(blurry, reference), ssim(restored, reference)),
                    psnr=(psnr(blurry, reference), psnr(restored, reference)),
                )
            )  # fmt: skip
    if not scores:
        raise InputError("No face was found in the photograph of the demonstration.")
    return scores


def _comparison(clips: tuple[list[Frame], ...], scores: list[_FaceScore]) -> Frame:
    """Faces with the strongest blur, each from another frame and with one row per clip: uint8 RGB [H, W, 3]."""
    rows: list[list[Frame]] = [[] for _ in clips]
    used: list[float] = []
    for score in sorted(scores, key=lambda score: score.ssim[0]):
        left = float(score.face.box[0])
        # In all frames, a person has about the same distance from the left edge.
        if any(abs(left - other) < 1.5 * score.face.size for other in used):
            continue
        used.append(left)
        for row, frames in zip(rows, clips, strict=True):
            row.append(_panel(frames[score.frame], score.face))
        if len(used) == PANEL_FACES:
            break
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _panel(frame: Frame, face: Face) -> Frame:
    """The square around a face, 1.6 times its size."""
    centre_x, centre_y = (face.box[:2] + face.box[2:]) / 2
    scale = PANEL / (1.6 * face.size)
    matrix = np.array([[scale, 0, PANEL / 2 - scale * centre_x], [0, scale, PANEL / 2 - scale * centre_y]])
    return cv2.warpAffine(frame, matrix, (PANEL, PANEL), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
