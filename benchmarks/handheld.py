"""The whole product on footage that a virtual hand-held camera films again: detail and steadiness of the faces.

python benchmarks/handheld.py CLIP.mp4 ... --extent 30 14 --network lite "stream.onnx?look_ahead=1" --faces scrfd:FILE.onnx

Each frame of a sharp clip is exposed while the camera shakes, in linear intensity, with the noise of a sensor, and the frames are
compressed in H.264 at high quality. Each clip has its own path of the camera, which goes on from frame to frame, and between two
exposures the shutter is closed: the frame really moves, and the tracker has to follow. `streamdeblur.deblur_video` restores the
film by each network; what follows "?" are settings of the job. Faces are found in the *sharp* film, by another detector than the
product's. Intervals are over clips. It needs the extra `eval`.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import av
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from harness import markdown, shown
from streamdeblur import deblur_video
from streamdeblur.errors import OptionError
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.metrics.fidelity import psnr, ssim
from streamdeblur.evaluation.metrics.flicker import Flicker, FlickerMeter
from streamdeblur.evaluation.metrics.landmark_detectors import LandmarkDetector, open_landmark_detector
from streamdeblur.evaluation.statistics import Interval, mean_interval, ratio_interval
from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.window import CROP_SIZE, WINDOW_SCALE, crop_region, whole_picture
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import expose
from streamdeblur.training.blur.response import srgb
from streamdeblur.training.blur.sensor import Degradations
from streamdeblur.training.blur.trajectories import handshake
from streamdeblur.training.blur.view import View
from streamdeblur.training.datasets.tracks import upright_frames
from streamdeblur.video.planes import Planes
from streamdeblur.weights import DEFAULT_NETWORK

WORK = Path(__file__).parent / "work" / "handheld"
POINTS = 64
"""Points of the path per frame interval."""
HELD_SECONDS = 0.1
"""Within about this time the person who holds the camera corrects its direction."""
NOISE = 3.0
"""Gain of the sensor; its noise is about 1.5 code values at middle grey."""
QUANTISER = "14"
"""Constant rate factor of the film in H.264: high quality."""
SMALLEST_FACE = 64.0
CHANGED = 0.25
"""Share of a face's pixels that differ from the film's where it was restored; where nothing is done, no pixel differs."""
RUN_FRAMES = 6
"""Frames of one face that flicker is measured on at a time."""
NEAR = 0.5
"""Farthest that a face moves between two frames, relative to its size."""

BT709, LIMITED = 1, 1
"""Matrix (ITU-T H.273) and range of the films' colours."""

Boxes = NDArray[np.float64]


def hand_path(random: np.random.Generator, frames: int, fps: float, extent: float, shutter: float) -> NDArray[np.float64]:
    """The positions of the camera in each exposure, in pixels: float64 [frames, points, 2]; the largest extent is `extent`."""
    path = handshake(random, 2, frames * POINTS, frames / fps).astype(np.float64)
    slow = gaussian_filter1d(path, HELD_SECONDS * fps * POINTS, axis=0, mode="reflect", truncate=2.0)
    exposures = (path - slow).reshape(frames, POINTS, 2)[:, : max(2, round(shutter * POINTS))]
    spans = np.ptp(exposures, axis=1).max(-1)
    return exposures * ((extent - 1.0) / spans.max())


@dataclass(frozen=True)
class Film:
    """A sharp film, the same as the shaking camera saw it, and how far the camera moved."""

    clip: str
    extent: float
    sharp: Path
    blurry: Path
    mean_extent: float
    """Mean extent of the exposures in pixels."""
    step: float
    """Mean distance in pixels between the places of two frames."""


def film(clip: Path, extent: float, frames: int, start: int, shutter: float, seed: int) -> Film:
    """Film a clip again, unless it was done before with the same settings."""
    WORK.mkdir(parents=True, exist_ok=True)
    stem = f"{clip.stem}_{extent:g}px_{frames}_{start}_{shutter:g}_{seed}"
    sharp, blurry, note = WORK / f"{stem}_sharp.mkv", WORK / f"{stem}.mkv", WORK / f"{stem}.json"
    if note.exists():
        return Film(clip.stem, extent, sharp, blurry, **json.loads(note.read_text()))
    with av.open(str(clip)) as container:
        fps = container.streams.video[0].average_rate or Fraction(25)
    pictures = [whole_picture(planes) for planes, _ in islice(upright_frames(clip), start, start + frames)]
    key = zlib.crc32(clip.stem.encode())
    positions = hand_path(np.random.default_rng([seed, key]), len(pictures), float(fps), extent, shutter)
    places = np.rint(positions.mean(1)).astype(int)
    with _Writer(sharp, fps, "ffv1", {}) as exact, _Writer(blurry, fps, "libx264", {"crf": QUANTISER, "preset": "fast"}) as lossy:
        for number, (picture, own, place) in enumerate(zip(pictures, positions, places.tolist(), strict=True)):
            height, width = picture.shape[:2]
            poses = np.zeros((len(own), 4), np.float32)
            poses[:, :2] = own - own.mean(0)
            path = CameraPath(poses, 1, width, height)
            noise = Degradations(noise=NOISE, key=key ^ seed).of_exposure(number)
            view = View(*place, width, height)
            pair = expose([picture], None, srgb(), path, view=view, degradations=noise)
            exact.write(pair.sharp)
            lossy.write(pair.blurry)
    step = float(np.linalg.norm(np.diff(places, axis=0), axis=1).mean())
    moved = {"mean_extent": float(np.ptp(positions, axis=1).max(-1).mean()) + 1.0, "step": step}
    note.write_text(json.dumps(moved))
    return Film(clip.stem, extent, sharp, blurry, **moved)


class _Writer:
    """Writes pictures, uint8 RGB [H, W, 3], to a video."""

    def __init__(self, path: Path, fps: Fraction, codec: str, options: dict[str, str]) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream(codec, rate=fps, options=options)
        self._stream.pix_fmt = "yuv420p"
        self._count = 0

    def __enter__(self) -> _Writer:
        return self

    def write(self, picture: Image) -> None:
        if not self._count:
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.codec_context.colorspace, self._stream.codec_context.color_range = BT709, LIMITED
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace="itu709")
        frame.pts = self._count
        frame.time_base = 1 / self._stream.average_rate
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, *_: object) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


def face_finder(name: str) -> Callable[[Image], Boxes]:
    """Open what finds faces in the sharp film: ``dlib`` (its histograms of gradients), or a detector of streamdeblur."""
    if name != "dlib":
        detector = open_detector(name)
        return lambda picture: np.array([face.box for face in detector.detect(picture)], np.float64).reshape(-1, 4)
    import dlib

    find = dlib.get_frontal_face_detector()
    return lambda picture: np.array(
        [(box.left(), box.top(), box.right(), box.bottom()) for box in find(picture)], np.float64
    ).reshape(-1, 4)


@dataclass(frozen=True)
class Window:
    """The window of a face in one frame of the sharp film."""

    frame: int
    left: int
    top: int
    side: int

    @classmethod
    def around(cls, frame: int, box: NDArray[np.float64], side: int) -> Window:
        left, top = np.rint((box[:2] + box[2:]) / 2 - side / 2).astype(int).tolist()
        return cls(frame, left, top, side)

    def crop(self, planes: Planes) -> Image:
        out = np.empty((CROP_SIZE, CROP_SIZE, 3), np.uint8)
        return crop_region(planes, self.left, self.top, self.side, self.side, out)


def find_tracks(sharp: Path, find: Callable[[Image], Boxes]) -> list[list[Window]]:
    """The windows of each face in consecutive frames, cut into runs in which they have one size; whole faces only."""
    open_runs: list[tuple[NDArray[np.float64], list[Window]]] = []
    done: list[list[Window]] = []
    for number, (planes, _) in enumerate(upright_frames(sharp)):
        boxes = [box for box in find(whole_picture(planes)) if _is_whole(box, planes)]
        going_on = []
        for box in boxes:
            size = float((box[2:] - box[:2]).max())
            near = [pair for pair in open_runs if _distance(pair[0], box) < NEAR * size and len(pair[1]) < RUN_FRAMES]
            run = min(near, key=lambda pair: _distance(pair[0], box))[1] if near else []
            open_runs = [pair for pair in open_runs if pair[1] is not run]
            side = run[0].side if run else round(WINDOW_SCALE * size)
            run.append(Window.around(number, box, side))
            going_on.append((box, run))
        done += [run for _, run in open_runs]
        open_runs = going_on
    return [run for run in [*done, *(run for _, run in open_runs)] if len(run) >= 2]


def _is_whole(box: NDArray[np.float64], planes: Planes) -> bool:
    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= planes.width and box[3] <= planes.height
    return bool(inside and (box[2:] - box[:2]).max() >= SMALLEST_FACE)


def _distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.linalg.norm((first[:2] + first[2:] - second[:2] - second[2:]) / 2))


@dataclass(frozen=True)
class FaceFigures:
    """One face of one frame."""

    group: str
    """Its clip: only clips are independent of one another."""
    treated: bool
    psnr: tuple[float, float]
    """Of the blurry and of the restored face."""
    ssim: tuple[float, float]


def measure(
    shot: Film, restored: Path, runs: Sequence[Sequence[Window]], detector: LandmarkDetector | None
) -> tuple[list[FaceFigures], list[Flicker]]:
    """Compare the faces of three films: sharp, blurry and restored."""
    wanted: dict[int, list[tuple[int, Window]]] = {}
    for index, run in enumerate(runs):
        for window in run:
            wanted.setdefault(window.frame, []).append((index, window))
    crops: list[list[tuple[Image, Image, Image]]] = [[] for _ in runs]
    faces = []
    for number, planes in enumerate(_together(shot.sharp, shot.blurry, restored)):
        for index, window in wanted.get(number, ()):
            sharp, blurry, result = (window.crop(one) for one in planes)
            crops[index].append((sharp, blurry, result))
            treated = float((blurry != result).any(-1).mean()) > CHANGED
            qualities = [(psnr(one, sharp), ssim(one, sharp)) for one in (blurry, result)]
            faces.append(FaceFigures(shot.clip, treated, *zip(*qualities, strict=True)))
    meter = FlickerMeter(detector)
    flickers = []
    for index, faces_of_run in enumerate(crops):
        cases = [Case(f"{index}/{n}", blurry, sharp, shot.clip) for n, (sharp, blurry, _) in enumerate(faces_of_run)]
        flickers.append(meter(cases, [result for _, _, result in faces_of_run]))
    return faces, flickers


def _together(*paths: Path) -> Iterator[list[Planes]]:
    for frames in zip(*(upright_frames(path) for path in paths), strict=True):
        yield [planes for planes, _ in frames]


@dataclass(frozen=True)
class Figures:
    """One row of the table."""

    network: str
    extent: float
    clips: list[str]
    mean_extent: float
    step: float
    faces: int
    treated: float
    psnr_blurry: float
    psnr: float
    psnr_gain: Interval
    ssim_blurry: float
    ssim: float
    ssim_gain: Interval
    flicker_ratio: Interval
    velocity_ratio: Interval | None
    milliseconds: float
    """Time of the job per frame, with decoding and encoding."""


def summarise(
    network: str, shots: Sequence[Film], faces: Sequence[FaceFigures], flickers: Sequence[Flicker], milliseconds: float
) -> Figures:
    groups = [face.group for face in faces]
    quality = {name: np.array([getattr(face, name) for face in faces]) for name in ("psnr", "ssim")}
    gains = {name: mean_interval(values[:, 1] - values[:, 0], groups) for name, values in quality.items()}
    runs = [one.group for one in flickers]
    flicker = ratio_interval([one.flicker for one in flickers], [one.blurry_flicker for one in flickers], runs)
    velocity = None
    if all(one.velocity is not None for one in flickers):
        velocity = ratio_interval([one.velocity for one in flickers], [one.blurry_velocity for one in flickers], runs)
    means = {name: values.mean(0).tolist() for name, values in quality.items()}
    return Figures(
        network, shots[0].extent, [shot.clip for shot in shots], float(np.mean([shot.mean_extent for shot in shots])),
        float(np.mean([shot.step for shot in shots])), len(faces),
        float(np.mean([face.treated for face in faces])), *means["psnr"], gains["psnr"], *means["ssim"], gains["ssim"],
        flicker, velocity, milliseconds,
    )  # fmt: skip


HEAD = (
    "network", "px", "mean px", "camera px/frame", "faces", "treated %", "PSNR dB", "gain", "SSIM", "gain", "flicker",
    "landmark velocity", "ms/frame",
)  # fmt: skip


def table(rows: Sequence[Figures]) -> str:
    """The rows as a Markdown table; flicker and velocity are relative to the blurry film's."""
    cells = [
        [
            row.network, f"{row.extent:g}", f"{row.mean_extent:.0f}", f"{row.step:.0f}", str(row.faces),
            f"{100 * row.treated:.0f}",
            f"{row.psnr_blurry:.2f} → {row.psnr:.2f}", shown(row.psnr_gain, "+.2f"),
            f"{row.ssim_blurry:.3f} → {row.ssim:.3f}", shown(row.ssim_gain, "+.3f"), shown(row.flicker_ratio, ".2f"),
            shown(row.velocity_ratio, ".2f") if row.velocity_ratio else "no landmark detector", f"{row.milliseconds:.0f}",
        ]
        for row in rows
    ]  # fmt: skip
    return markdown(HEAD, cells)


def job_settings(network: str) -> dict[str, Any]:
    """The settings of a job: the name of a shipped network or FILE.onnx, and what follows "?" as in ``lite?strength=0.8``."""
    file, _, query = network.partition("?")
    return {"network": file, **dict(parse_qsl(query))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, help="sharp clips, 720p, of people whom no network was trained on")
    parser.add_argument("--extent", nargs="+", type=float, default=[30.0, 14.0], help="px of the largest exposure of a clip")
    parser.add_argument(
        "--network", nargs="+", default=[DEFAULT_NETWORK], help="a shipped one or FILE.onnx, with ?SETTING=VALUE&..."
    )
    parser.add_argument("--faces", default="dlib", help="finds the faces of the sharp film: dlib or scrfd:FILE.onnx")
    parser.add_argument("--localiser", default="dlib", help="landmark detector; none leaves the velocity out")
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--start", type=int, default=0, help="first frame of each clip")
    parser.add_argument("--shutter", type=float, default=0.9, help="exposure as a fraction of the frame interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    try:
        detector = None if arguments.localiser == "none" else open_landmark_detector(arguments.localiser)
    except OptionError as error:
        print(f"The velocity of landmarks is not measured: {error}")
        detector = None
    find, rows = face_finder(arguments.faces), []
    for extent in arguments.extent:
        shots = [
            film(clip, extent, arguments.frames, arguments.start, arguments.shutter, arguments.seed) for clip in arguments.clips
        ]
        tracks = [find_tracks(shot.sharp, find) for shot in shots]
        for network in arguments.network:
            rows.append(_restore_and_measure(network, shots, tracks, detector))
            print(table(rows[-1:]), flush=True)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def _restore_and_measure(
    network: str, shots: Sequence[Film], tracks: Sequence[Sequence[Sequence[Window]]], detector: LandmarkDetector | None
) -> Figures:
    faces, flickers, seconds, frames = [], [], 0.0, 0
    for shot, runs in zip(shots, tracks, strict=True):
        # lossless: only what the product changes differs, and nothing is lost to a second encoder
        target = WORK / "restored.mkv"
        done = deblur_video(shot.blurry, target, codec="ffv1", overwrite=True, **job_settings(network))
        seconds, frames = seconds + done.seconds, frames + done.frames
        own_faces, own_flickers = measure(shot, target, runs, detector)
        faces += own_faces
        flickers += own_flickers
    return summarise(network, shots, faces, flickers, 1000 * seconds / frames)


if __name__ == "__main__":
    main()
