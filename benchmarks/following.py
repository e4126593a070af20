"""The windows of a face that moves in a known way over pictures with noise and motion blur: how far they are from where it is.

python benchmarks/following.py
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from harness import markdown
from streamdeblur.demo.run import group_photograph
from streamdeblur.faces.detect import open_detector
from streamdeblur.faces.find import FaceFinder
from streamdeblur.video.planes import array_planes

FACE, SIZE = (796, 412), 137.0
"""Centre and size in pixels of the face in the photograph of the demonstration."""
OTHERS = [(320, 207), (517, 337), (113, 329), (1178, 332), (954, 134)]
"""Centres of the other faces, which are painted over."""
FRAMES, SETTLED = 60, 15
NOISE = 4.0

Path = Callable[[int], tuple[float, float, float]]
PATHS: dict[str, Path] = {
    "still": lambda n: (0.0, 0.0, 1.0),
    "steady, 6 px per frame": lambda n: (-150.0 + 6.0 * n, 0.0, 1.0),
    "steady, 20 px per frame": lambda n: (-500.0 + 20.0 * n if n < 50 else 480.0, 0.0, 1.0),
    "hand-held": lambda n: (20 * np.sin(n / 3.1) + 8 * np.sin(n / 1.3), 14 * np.sin(n / 2.3) + 6 * np.cos(n / 1.1), 1.0),
    "coming nearer, 1 % per frame": lambda n: (0.0, 0.0, 1.01**n),
    "jumps by half its width each second": lambda n: (68.0 * (round(n) // 25 % 2), 0.0, 1.0),
}
"""Where the face is in each frame: x and y in pixels from the middle, and its size in units of `SIZE`."""


def frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The frames, 720p: the face is blurred along its way, as in an exposure of half of the interval."""
    photograph = group_photograph()
    for x, y in OTHERS:
        patch = photograph[max(0, y - 110) : y + 110, max(0, x - 90) : x + 90]
        patch[:] = patch.mean((0, 1))
    for number in range(FRAMES):
        views = [_view(photograph, *path(number + part)) for part in (-0.25, -0.125, 0.0, 0.125, 0.25)]
        cv2.setRNGSeed(number)
        noise = cv2.randn(np.empty(views[0].shape, np.float32), (0, 0, 0), (NOISE, NOISE, NOISE))
        yield np.clip(np.mean(views, axis=0) + noise, 0, 255).astype(np.uint8)


def _view(photograph: NDArray[np.uint8], x: float, y: float, scale: float) -> NDArray[np.uint8]:
    matrix = np.array([[scale, 0, 640 + x - scale * FACE[0]], [0, scale, 360 + y - scale * FACE[1]]])
    return cv2.warpAffine(photograph, matrix, (1280, 720), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT).astype(np.uint8)


def measure(path: Path) -> list[str]:
    """Errors of the windows of the face, in pixels, less their mean, and of their size in percent; milliseconds per frame."""
    finder = FaceFinder(open_detector("centerface"))
    errors, seconds = [], 0.0
    for number, frame in enumerate(frames(path)):
        planes, (x, y, scale) = array_planes(frame), path(number)
        began = time.process_time()
        tracks = finder.update(planes, until=math.inf)
        finder.catch_up()
        seconds += time.process_time() - began
        truth = np.array([640 + x, 360 + y])
        track = min(tracks, key=lambda one: np.hypot(*(one.centre - truth)), default=None)
        if track is not None:
            errors.append([*(track.centre - truth) / scale, 100 * np.log(track.size / (SIZE * scale))])
    settled = np.array(errors[SETTLED:])
    centred = settled - settled.mean(0)
    place = np.hypot(*centred[:, :2].T)
    steps = np.diff(centred[:, :2], axis=0)
    return [
        f"{np.sqrt((place**2).mean()):.2f} px", f"{place.max():.1f} px", f"{steps.std():.2f} px",
        f"{centred[:, 2].std():.2f} %", f"{len(errors)} of {FRAMES}", f"{1000 * seconds / FRAMES:.1f} ms",
    ]  # fmt: skip


def main() -> None:
    heads = ("motion", "place, rms", "largest", "from frame to frame", "size, rms", "frames with it", "processor time per frame")
    print(markdown(heads, [[name, *measure(path)] for name, path in PATHS.items()]))


if __name__ == "__main__":
    main()
