"""Second pass over a video: the frames of each window as a small H.264 file, and measurements of each frame."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streamdeblur.faces.detect import Detector
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE, crop_region
from streamdeblur.training.datasets.clip_windows import ClipWindow
from streamdeblur.training.datasets.duplicates import perceptual_hash
from streamdeblur.training.datasets.face_detection import redetect
from streamdeblur.training.datasets.face_quality import FaceMotion, sharpness
from streamdeblur.training.datasets.tracks import Survey, upright_frames
from streamdeblur.video.planes import Planes

ENCODER = {"crf": "10", "preset": "fast", "threads": "1", "x264-params": "mbtree=0"}
"""Visually lossless: about 47 dB and 5 kB per frame of 300 px. At most widths x264's macroblock tree reads memory that
nobody wrote, and the same frames would give other bytes."""
FOUND = 0.8
"""Fraction of the frames in which the face must be detected again for the clip to be kept."""
HASHED = 4
"""Frames of a clip, evenly spaced, whose perceptual hashes identify duplicates."""


class ClipEncoder:
    """Encodes a clip as H.264 in memory: 4:4:4, one thread, so that the same frames give the same bytes."""

    def __init__(self, size: int, fps: Fraction) -> None:
        self._memory = io.BytesIO()
        self._container = av.open(self._memory, "w", format="mp4")
        self._stream: Any = self._container.add_stream("libx264", rate=fps, options=ENCODER)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = size, size, "yuv444p"
        context.color_range, context.colorspace, context.thread_count = 1, 1, 1
        self._base = 1 / fps
        self._count = 0

    def add(self, rgb: NDArray[np.uint8]) -> None:
        """Add a frame, uint8 RGB [size, size, 3]."""
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame = frame.reformat(format="yuv444p", dst_colorspace="itu709", dst_color_range=1)
        frame.pts, frame.time_base = self._count, self._base
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        """Return the MP4 file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._memory.getvalue()


class ClipMaker:
    """Encodes one clip and measures, frame by frame, box, landmarks, sharpness and motion of the face."""

    def __init__(self, window: ClipWindow, boxes: NDArray[np.float64], fps: Fraction, detector: Detector) -> None:
        """
        Args:
            window: Window of the clip.
            boxes: float64 [frames, 4]: where the tracker had the face in each frame from ``window.begin`` on.
            fps: Frame rate of the clip.
            detector: Detects the face again in each frame of the clip.
        """
        self.window = window
        self._expected = window.inside(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        self._zoom = WINDOW_SCALE * window.face * window.scale / CROP_SIZE
        middle = self._expected.mean(axis=0)
        self._motion = FaceMotion(((middle[0] + middle[2]) / 2, (middle[1] + middle[3]) / 2), self._zoom)
        self._detector = detector
        self._fps = fps
        self._encoder = ClipEncoder(window.size, fps)
        self._numbers: list[int] = []
        self._boxes: list[NDArray[np.floating]] = []
        self._landmarks: list[NDArray[np.floating] | None] = []
        self._sharpness: list[float] = []
        self._motions: list[float] = []
        self._hashes: list[int] = []
        self._detected = 0

    def add(self, number: int, planes: Planes) -> None:
        """Add the frame of this number in the video."""
        window = self.window
        picture = np.empty((window.size, window.size, 3), np.uint8)
        crop_region(planes, window.left, window.top, window.side, window.side, picture)
        self._encoder.add(picture)
        expected = self._expected[number - window.begin]
        face = redetect(picture, expected, self._detector)
        box = expected if face is None else face.box
        self._detected += face is not None
        self._numbers.append(number)
        self._boxes.append(box)
        self._landmarks.append(None if face is None else face.landmarks)
        centre = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
        self._sharpness.append(sharpness(picture, centre, self._zoom))
        self._motions.append(self._motion(picture))
        self._hashes.append(perceptual_hash(picture))

    @property
    def found(self) -> float:
        """Fraction of the frames in which the face was detected again."""
        return self._detected / max(1, len(self._numbers))

    @property
    def sharp(self) -> float:
        """Median sharpness of the frames."""
        return float(np.median(self._sharpness))

    @property
    def hashes(self) -> list[int]:
        """Perceptual hashes of `HASHED` frames."""
        last = len(self._hashes) - 1
        return [self._hashes[round(last * (n + 0.5) / HASHED)] for n in range(HASHED)]

    def encoded(self) -> bytes:
        """Return the finished MP4 file."""
        return self._encoder.finish()

    def record(self) -> dict[str, Any]:
        """Describe the clip for JSON."""
        window = self.window
        kept = [points for points in self._landmarks if points is not None]
        moved = self._motions[1:] or [0.0]
        return {
            "frames": len(self._numbers),
            "size": window.size,
            "fps": round(float(self._fps), 3),
            "boxes": np.round(self._boxes, 1).tolist(),
            "landmarks": np.round(_filled(self._landmarks), 1).tolist() if kept else None,
            "face_px": round(window.face, 1),
            "window": {"left": window.left, "top": window.top, "side": window.side},
            "source_frames": self._numbers,
            "sharpness": round(self.sharp, 1),
            "sharpness_of_frames": np.round(self._sharpness, 1).tolist(),
            "motion": {
                "mean": round(float(np.mean(moved)), 3),
                "p95": round(float(np.percentile(moved, 95)), 3),
                "largest": round(float(np.max(moved)), 3),
            },
            "hashes": [f"{value:064x}" for value in self.hashes],
        }


def _filled(landmarks: list[NDArray[np.floating] | None]) -> NDArray[np.floating]:
    """Return landmarks, float [T, 5, 2]; those that were not detected are interpolated linearly."""
    known = [n for n, points in enumerate(landmarks) if points is not None]
    values = np.array([landmarks[n] for n in known]).reshape(len(known), 10)
    every = np.arange(len(landmarks))
    return np.stack([np.interp(every, known, values[:, k]) for k in range(10)], axis=1).reshape(-1, 5, 2)


@dataclass(frozen=True, eq=False)
class ClipPlan:
    """A clip to make from a video."""

    window: ClipWindow
    boxes: NDArray[np.float64]
    """float64 [frames, 4]: where the tracker had the face in each frame of the window, in pixels of the video."""
    track: int
    """Track id of the face."""


def make_clips(path: Path, found: Survey, cuts: Sequence[ClipPlan], detector: Detector) -> Iterator[tuple[int, ClipMaker]]:
    """Read a video again and make its clips.

    Frames that repeat the one before are left out, and the frame rate of a clip is that of the remaining frames.

    Args:
        path: The video.
        found: What the first pass found.
        plans: The clips to make.
        detector: Detects the faces again in the clips.

    Yields:
        The index in `plans` of each clip and the clip, when its last frame was read.

    Raises:
        InputError: The video cannot be read.
    """
    waiting = sorted(range(len(cuts)), key=lambda n: (cuts[n].window.begin, n), reverse=True)
    active: dict[int, ClipMaker] = {}
    for number, (planes, _) in enumerate(upright_frames(path)):
        while waiting and cuts[waiting[-1]].window.begin <= number:
            n = waiting.pop()
            active[n] = ClipMaker(cuts[n].window, cuts[n].boxes, frame_rate(found, cuts[n].window), detector)
        for n in [n for n, maker in active.items() if maker.window.end <= number]:
            yield n, active.pop(n)
        if not (active or waiting):
            return
        if number not in found.repeated:
            for maker in active.values():
                maker.add(number, planes)
    yield from active.items()


def frame_rate(found: Survey, window: ClipWindow) -> Fraction:
    """Return the frames per second of a window, without those that are repeated."""
    kept = [found.times[n] for n in range(window.begin, window.end) if n not in found.repeated]
    seconds = kept[-1] - kept[0] if kept else 0.0
    if seconds <= 0:
        return Fraction(25)
    return Fraction(min(max((len(kept) - 1) / seconds, 1.0), 1000.0)).limit_denominator(1001)
