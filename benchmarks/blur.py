"""Making blur: VLA and training pairs against plain NumPy and OpenCV, which do the same by the book; kernels per second."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

import cv2
import numpy as np

from harness import Row, alternate, ratio
from streamdeblur.demo.run import group_photograph
from streamdeblur.training.blur import exposures
from streamdeblur.training.blur import sensor as sensors
from streamdeblur.training.blur.camera import CameraPath
from streamdeblur.training.blur.exposures import average_clips
from streamdeblur.training.blur.observation import Observation, observe
from streamdeblur.training.blur.response import Response, srgb
from streamdeblur.training.blur.scheme import BlurScheme
from streamdeblur.training.blur.stop_rules import StopRules
from streamdeblur.training.blur.trajectories import sample_kernels
from streamdeblur.training.datasets.pair_maker import PairMaker

FACES = ((796, 412), (320, 237), (517, 337), (213, 329), (1078, 332), (954, 234))
PAIRS, KERNELS, EVERY = 60, 1000, 2


@dataclass
class BenchmarkClip:
    """A camera that swings over a face of the photograph."""

    frames: np.ndarray
    boxes: np.ndarray
    landmarks: None = None


def clips(count: int, length: int = 40, side: int = 300) -> list[BenchmarkClip]:
    """Clips of 300 px, each around another face of about 150 px, each with its own motion."""
    photograph = cv2.resize(group_photograph(), None, fx=1.4, fy=1.4, interpolation=cv2.INTER_CUBIC)
    photograph = cv2.copyMakeBorder(photograph, 200, 200, 200, 200, cv2.BORDER_REFLECT_101)
    made = []
    for number in range(count):
        x, y = (round(1.4 * v) + 200 - side // 2 for v in FACES[number % len(FACES)])
        swing = np.sin(np.arange(length)[:, None] / (5 + number) + [0, 1]) * (12, 6)
        places = np.rint(np.array([x, y]) + swing).astype(int)
        frames = np.stack([photograph[top : top + side, left : left + side] for left, top in places])
        boxes = np.array([[75, 75, 225, 225] - np.tile(np.rint(offset), 2) for offset in swing], np.float32)
        made.append(BenchmarkClip(frames, boxes))
    return made


def measure(rounds: int) -> list[Row]:
    """(b) VLA pairs, kernels and training pairs."""
    return [_vla(rounds), _kernels(rounds), _pairs(rounds)]


def _vla(rounds: int) -> Row:
    material = clips(4)

    def rate(work: Callable[[], int]) -> Callable[[], float]:
        def run() -> float:
            began = time.perf_counter()
            made = work()
            return made / (time.perf_counter() - began)

        return run

    def ours() -> int:
        return sum(len(averages) for averages in average_clips(material, BlurScheme("vla"), srgb(), every=EVERY, workers=2))

    def plain() -> int:
        return _plain_vla(material[0], srgb(), StopRules())

    mine, others = alternate([rate(ours), rate(plain)], rounds)
    return Row(
        "VLA of face clips of 300 px, the three rules included",
        f"{statistics.median(mine):.0f} pairs/s",
        f"plain NumPy {statistics.median(others):.1f} pairs/s",
        ratio(mine, others),
        ">= 8 on 2 cores",
    )


def _kernels(rounds: int) -> Row:
    extents = np.exp(np.random.default_rng(0).uniform(np.log(3), np.log(34), KERNELS))

    def ours() -> float:
        began = time.perf_counter()
        sample_kernels(0, extents)
        return KERNELS / (time.perf_counter() - began)

    (mine,) = alternate([ours], rounds)
    return Row("camera-shake kernels of 3 to 34 px", f"{statistics.median(mine):.0f} kernels/s", target=">= 2,000 on 2 cores")


def _pairs(rounds: int) -> Row:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    material = clips(6)
    stills = [np.ascontiguousarray(clip.frames[0, 20:276, 20:276]) for clip in material]
    maker = PairMaker(stills, material, seed=1)
    maker.prepare()

    def milliseconds(count: int) -> float:
        # of processor time: what else the machine does is not counted
        began = time.process_time()
        for index in range(count):
            maker.pair(index)
        return 1000 * (time.process_time() - began) / count

    def plain() -> float:
        with (
            patch.multiple(exposures, convolve=_plain_convolve, gather=_plain_gather, degrade=sensors.degrade),
            patch.multiple(sensors, convolve=_plain_convolve, write_noisy_codes=_plain_expose, write_codes=_plain_write),
        ):
            return milliseconds(PAIRS // 4)

    mine, others = alternate([lambda: milliseconds(PAIRS), plain], rounds)
    cv2.setNumThreads(threads)
    return Row(
        "a training pair of 256 px: blur and degradations of the default recipe, one core",
        f"{statistics.median(mine):.2f} ms",
        f"OpenCV and NumPy {statistics.median(others):.1f} ms",
        ratio(others, mine),
        "<= 2 ms",
    )


# The same by the book


def _plain_ssim(first: np.ndarray, second: np.ndarray) -> float:
    def mean(values: np.ndarray) -> np.ndarray:
        sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        return (sums[7:, 7:] - sums[:-7, 7:] - sums[7:, :-7] + sums[:-7, :-7]) / 49

    a, b = first.astype(float), second.astype(float)
    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())


def _plain_vla(clip: BenchmarkClip, response: Response, rules: StopRules) -> int:
    """The pairs of a clip by variable length averaging, each from nothing but what was observed of the frames."""
    observations = observe(clip.frames, clip.boxes)
    windows = [_plain_window(observations, middle, response, rules) for middle in range(0, len(observations), EVERY)]
    for first, last in windows:
        response.develop(np.rint(response.to_intensity[clip.frames[first : last + 1]].mean(axis=0)).astype(np.int64))
    return sum(last > first for first, last in windows)


def _plain_window(observations: list[Observation], middle: int, response: Response, rules: StopRules) -> tuple[int, int]:
    intensity, centre = response.to_intensity.astype(np.int64), observations[middle]
    reach, path = 0, 0.0
    total, net = intensity[centre.luma], np.zeros_like(centre.motion[centre.region])
    while 2 * reach + 3 <= rules.longest and middle - reach - 1 >= 0 and middle + reach + 1 < len(observations):
        first, last = observations[middle - reach - 1], observations[middle + reach + 1]
        if last.cut or observations[middle - reach].cut or not rules.overlap(first, last):
            break
        for motion in (observations[middle - reach].motion[centre.region], last.motion[centre.region]):
            net = net + motion
            path += float(np.linalg.norm(motion, axis=-1).mean())
        total = total + intensity[first.luma] + intensity[last.luma]
        average = response.develop((total + reach + 1) // (2 * reach + 3))
        if rules.motion(path, float(np.linalg.norm(net, axis=-1).mean()), 2 * reach + 3, 300):
            break
        if _plain_ssim(average[..., 0], centre.luma[..., 0]) < rules.least_similarity:
            break
        reach += 1
    return middle - reach, middle + reach


def _plain_convolve(intensity: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    reach = kernel.shape[0] // 2
    whole = cv2.filter2D(intensity, -1, kernel[::-1, ::-1])
    return whole[reach : whole.shape[0] - reach, reach : whole.shape[1] - reach]


def _plain_gather(
    frames: list[np.ndarray], path: CameraPath, left: int, top: int, response: Response, highlights: float | None = None
) -> np.ndarray:
    size, total = (path.width, path.height), np.zeros((path.height, path.width, 3), np.float32)
    table = (response.to_intensity / response.full).astype(np.float32)
    for frame, matrices in zip(frames, path.matrices(0.0), strict=True):
        intensity = cv2.LUT(frame, table)
        if highlights is not None:
            beyond = np.maximum(intensity.min(axis=-1, keepdims=True) - 0.75, 0) * 4
            intensity = intensity * (1 + (highlights - 1) * beyond**2)
        for matrix in matrices:
            moved = matrix + np.array([[0, 0, left], [0, 0, top]])
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            total += cv2.warpAffine(intensity, moved, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101) / len(matrices)
    return total / len(frames)


def _plain_write(intensity: np.ndarray, scale: float, table: np.ndarray, out: np.ndarray) -> None:
    out[:] = table[np.clip(np.rint(intensity * scale), 0, len(table) - 1).astype(np.int64)]


def _plain_expose(
    intensity: np.ndarray, shot: float, read: float, key: int, scale: float, table: np.ndarray, out: np.ndarray
) -> None:
    noise = np.random.default_rng(key).standard_normal(intensity.shape, np.float32)
    _plain_write(intensity + noise * np.sqrt(shot * intensity + read), scale, table, out)
