"""How well the landmark detectors of the evaluation find the 68 points, and how much blur moves them.

python benchmarks/landmarks.py --annotated PICTURES --stills STILLS --detector heatmap dlib mesh:FILE.tflite   # needs '.[eval]'

PICTURES have .pts files: the error there is the distance to points that were set by hand. STILLS are sharp faces: they are
blurred with the same random kernels for each detector, and the error is the distance to the points that it found before.
Errors are fractions of the diagonal of the face, as in the evaluation, and of the distance of the outer corners of the eyes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamdeblur.evaluation.cases import Image, Points
from streamdeblur.evaluation.metrics.landmark_detectors import LandmarkDetector, open_landmark_detector
from streamdeblur.evaluation.metrics.landmarks import LIMIT, auc, failure_rate, landmark_error
from streamdeblur.evaluation.sources import open_data
from streamdeblur.evaluation.sources.dataset import EvaluationFace
from streamdeblur.training.blur.exposures import blur_image
from streamdeblur.training.blur.response import srgb
from streamdeblur.training.blur.trajectories import sample_kernel

EXTENTS = (4, 8, 12, 16, 24, 32)
"""Of the kernels, in pixels of the crop."""
OUTER_CORNERS = 36, 45
"""Points at the outer corners of the eyes."""


def faces_of(path: Path, limit: int | None) -> list[EvaluationFace]:
    """The faces of a data set; evenly chosen ones if there are more than the limit."""
    stills = open_data(path).stills
    chosen = np.linspace(0, len(stills) - 1, min(limit or len(stills), len(stills))).round().astype(int)
    return [stills[n].open() for n in chosen]


def eye_distance_error(found: Points, true: Points) -> float:
    """The mean distance of the points, as a fraction of that between the outer corners of the eyes."""
    left, right = true[list(OUTER_CORNERS)]
    return float(np.linalg.norm(found - true, axis=1).mean() / np.linalg.norm(right - left))


def annotated_lines(detectors: Sequence[LandmarkDetector], faces: Sequence[EvaluationFace]) -> Iterator[str]:
    """The table of errors to annotated points."""
    yield f"| detector | mean error % | median | AUC to {LIMIT:g} | failures % | of the eye distance, mean % | CPU ms per face |"
    yield "| -- | -- | -- | -- | -- | -- | -- |"
    for detector in detectors:
        detector(faces[0].crop)
        start = time.process_time()
        found = [detector(face.crop) for face in faces]
        milliseconds = 1000 * (time.process_time() - start) / len(faces)
        pairs = [(points, face.landmarks) for points, face in zip(found, faces, strict=True) if face.landmarks is not None]
        errors = np.array([landmark_error(*pair) for pair in pairs])
        eyes = 100 * np.mean([eye_distance_error(*pair) for pair in pairs])
        yield (
            f"| {detector.name} | {100 * errors.mean():.2f} | {100 * np.median(errors):.2f} | {auc(errors):.3f} "
            f"| {100 * failure_rate(errors):.1f} | {eyes:.2f} | {milliseconds:.1f} |"
        )


def blurred(face: Image, extent: int, seed: int) -> Image:
    """A face under a random kernel of an extent in pixels, in linear intensity."""
    return blur_image(face, sample_kernel(np.random.default_rng(seed), float(extent)), srgb())


def errors_under_blur(detector: LandmarkDetector, faces: Sequence[Image], extent: int) -> NDArray[np.float64]:
    """The error of each face to the points that the detector finds in it without blur."""
    return np.array([landmark_error(detector(blurred(face, extent, n)), detector(face)) for n, face in enumerate(faces)])


def blur_lines(detectors: Sequence[LandmarkDetector], faces: Sequence[Image]) -> Iterator[str]:
    """The table of errors under blur: the mean in percent, and the AUC."""
    yield f"| detector | {' | '.join(f'{extent} px' for extent in EXTENTS)} |"
    yield f"| -- |{' -- |' * len(EXTENTS)}"
    for detector in detectors:
        cells = []
        for extent in EXTENTS:
            errors = errors_under_blur(detector, faces, extent)
            cells.append(f"{100 * errors.mean():.2f} ({auc(errors):.3f})")
        yield f"| {detector.name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotated", type=Path, help="pictures with .pts files")
    parser.add_argument("--stills", type=Path, help="sharp faces")
    parser.add_argument("--detector", nargs="+", default=["heatmap", "dlib"], help="names of detectors")
    parser.add_argument("--limit", type=int, help="stills at most")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    detectors = [open_landmark_detector(name) for name in arguments.detector]
    if arguments.annotated:
        print("\n".join(annotated_lines(detectors, faces_of(arguments.annotated, None))), end="\n\n")
    if arguments.stills:
        print("\n".join(blur_lines(detectors, [face.crop for face in faces_of(arguments.stills, arguments.limit)])))


if __name__ == "__main__":
    main()
