"""Face detection and identification on blurry faces, with and without streamdeblur as preprocessing.

python benchmarks/recognition.py DATA --protocol synthetic,vla+camera --limit 600     # needs pip install '.[eval]'

Each person has one sharp face in the gallery. A blurry face, of another picture or another moment of the clip, is a probe that is
identified in it. Of data with comparisons (LFW), probes and gallery are the pairs of the same person. Each blurry picture is
restored by a whole deblurrer: detection, choice of faces, restoration and pasting. The detector is the embedded one; the
embedding is dlib's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamdeblur import FaceDeblurrer
from streamdeblur.evaluation.cases import Case, Image
from streamdeblur.evaluation.metrics.identity import open_embedder
from streamdeblur.evaluation.metrics.landmark_detectors import open_landmark_detector
from streamdeblur.evaluation.protocols import BlurProtocol, comparisons_of
from streamdeblur.evaluation.sources import DataSet, open_data
from streamdeblur.evaluation.statistics import mean_interval, paired_p_value
from streamdeblur.faces.face import intersection_over_union

FALSE_ACCEPTS = 0.001
"""Fraction of faces of other people that may be accepted as the same person."""
OVERLAP = 0.5


@dataclass(frozen=True)
class Probe:
    """A blurry face, and the sharp face of the same person in the gallery."""

    blurry: Case
    gallery: Case


def probes_of(data: DataSet, cases: list[Case]) -> list[Probe]:
    """Pair each face with its counterpart in the comparisons, or with the first face of the same person (or clip)."""
    by_name = {case.name: case for case in cases}
    if data.comparisons:
        pairs = comparisons_of(data, cases)
        return [Probe(by_name[pair.second], by_name[pair.first]) for pair in pairs if pair.same]
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.identity or case.group, case)
    owners = [(case, first[case.identity or case.group]) for case in cases]
    return [Probe(case, owner) for case, owner in owners if case is not owner]


class Recogniser:
    """Detects faces and embeds them."""

    def __init__(self, deblurrer: FaceDeblurrer) -> None:
        self._detector = deblurrer.detector
        self._detect_landmarks, self._embed = open_landmark_detector("dlib"), open_embedder("dlib")

    def embedding(self, face: Image) -> NDArray[np.float64]:
        """The embedding of a face in its window: float64 [128]."""
        return self._embed(face, self._detect_landmarks(face))

    def detects(self, face: Image, sharp: Image) -> bool:
        """Whether the face is detected where it is in the sharp window."""
        wanted = max(self._detector.detect(sharp), key=lambda one: one.score, default=None)
        found = self._detector.detect(face)
        return wanted is not None and any(intersection_over_union(one.box, wanted.box) >= OVERLAP for one in found)


def restore(deblurrer: FaceDeblurrer, picture: Image) -> Image:
    """Restore a picture as any frame of a video."""
    deblurrer.reset()
    restored: Image = deblurrer(picture)
    return restored


def table_lines(probes: list[Probe], deblurrer: FaceDeblurrer) -> Iterator[str]:
    """The lines of the table: the faces blurred, restored and sharp, and the p-values of the changes."""
    recogniser = Recogniser(deblurrer)
    people = list({probe.gallery.name: probe.gallery for probe in probes}.values())
    gallery = np.stack([recogniser.embedding(case.sharp) for case in people])
    own = np.array([next(n for n, case in enumerate(people) if case is probe.gallery) for probe in probes])
    groups = [probe.gallery.group for probe in probes]
    restored = [restore(deblurrer, probe.blurry.blurry) for probe in probes]
    columns = {}
    for name, faces in (
        ("blurred", [probe.blurry.blurry for probe in probes]),
        ("with streamdeblur", restored),
        ("sharp", [probe.blurry.sharp for probe in probes]),
    ):
        found = [recogniser.detects(face, probe.blurry.sharp) for face, probe in zip(faces, probes, strict=True)]
        cosines = np.stack([recogniser.embedding(face) for face in faces]) @ gallery.T
        same = cosines[np.arange(len(own)), own]
        others = np.where(np.arange(len(people)) == own[:, None], -1.0, cosines)
        threshold = np.quantile(others[others > -1.0], 1.0 - FALSE_ACCEPTS)
        columns[name] = {"detected": found, "rank 1": same > others.max(axis=1), "accepted": same > threshold}
        cells = [mean_interval(100.0 * np.array(values, float), groups) for values in columns[name].values()]
        yield f"| {name} | " + " | ".join(f"{cell.value:.1f} [{cell.low:.1f} to {cell.high:.1f}]" for cell in cells) + " |"
    before, after = columns["blurred"], columns["with streamdeblur"]
    changes = [paired_p_value(np.array(before[name], float), np.array(after[name], float), groups) for name in before]
    yield "| p, blurred against restored | " + " | ".join(f"{value:.3f}" for value in changes) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="faces, as `streamdeblur evaluate` takes them")
    parser.add_argument("--protocol", default="synthetic", help="comma-separated")
    parser.add_argument("--limit", type=int, help="faces of a protocol at most")
    parser.add_argument("--response", default="srgb")
    arguments = parser.parse_args()
    data = open_data(arguments.data)
    with FaceDeblurrer() as deblurrer:
        for text in arguments.protocol.split(","):
            probes = probes_of(data, list(BlurProtocol.parse(text).cases(data, arguments.limit, 0, arguments.response)))
            people = len({probe.gallery.name for probe in probes})
            print(f"\n{text}: {len(probes)} faces, {people} people in the gallery\n")
            print(f"| | detected % | rank 1 % | accepted %, {100 * FALSE_ACCEPTS:g} % of others |\n| --- | --- | --- | --- |")
            for line in table_lines(probes, deblurrer):
                print(line)


if __name__ == "__main__":
    main()
