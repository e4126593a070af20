"""The tracker's filter compared with norfair's, on the boxes of a face of 137 px with a detector's jitter.

Needs `pip install --no-deps norfair filterpy`: norfair asks for an older NumPy or rich than it needs.
"""

from __future__ import annotations

import time

import numpy as np
from norfair import Detection, Tracker
from norfair.filter import OptimizedKalmanFilterFactory

from harness import Row, table
from streamdeblur.faces.face import Face
from streamdeblur.faces.track import FaceTracker

SIZE, JITTER = 137.0, 0.0065
STILL = [(640, 360)] * 120
JUMP = [(600, 350)] * 20 + [(600 + SIZE / 2, 350)] * 5
PAN = [(200 + 20 * n, 300) for n in range(40)]


def follow(path, settings, random) -> tuple[np.ndarray, float]:
    """Errors [frames, 2] of the centre in pixels, and milliseconds per update; without settings, of our own filter."""
    ours = FaceTracker()
    factory = OptimizedKalmanFilterFactory(**(settings or {}))
    theirs = Tracker(
        lambda detection, track: float(np.linalg.norm(detection.points.mean(0) - track.estimate.mean(0))) / SIZE,
        distance_threshold=1.2,
        initialization_delay=0,
        filter_factory=factory,
    )
    errors, seconds = [], 0.0
    for x, y in path:
        box = np.array([x - SIZE / 2, y - SIZE / 2, x + SIZE / 2, y + SIZE / 2]) + random.normal(0, JITTER * SIZE, 4)
        began = time.perf_counter()
        if settings is None:
            ours.predict()
            ours.correct([Face(box.astype(np.float32), 0.9)], list(ours.tracks), start=True)
            centre = ours.tracks[0].centre
        else:
            found = theirs.update([Detection(box.reshape(2, 2))])
            centre = found[0].estimate.mean(0) if found else np.array([x, y])
        seconds += time.perf_counter() - began
        errors.append(centre - [x, y])
    return np.array(errors), 1000 * seconds / len(path)


def main() -> None:
    rows = []
    filters = {"ours": None, "norfair, default": {}, "norfair, R = 0.1": {"R": 0.1}, "norfair, Q = 1": {"Q": 1.0}}
    for name, settings in filters.items():
        random = np.random.default_rng(0)
        still, milliseconds = follow(STILL, settings, random)
        jump, _ = follow(JUMP, settings, random)
        steady, _ = follow(PAN, settings, random)
        rows.append(
            Row(
                name,
                f"still {still[20:].std(0).max():.2f} px rms, {milliseconds:.3f} ms per update",
                f"after the jump {np.hypot(*jump[20]):.1f} px off, steady lag {np.abs(steady[10:, 0]).mean():.1f} px",
            )
        )
    print(table(rows))


if __name__ == "__main__":
    main()
