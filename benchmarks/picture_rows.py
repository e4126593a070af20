"""Pictures from an evaluation: what each method made of some faces, with the blurry and the sharp ones, as one file.

python benchmarks/picture_rows.py EVALUATION OUT.jpg --protocol synthetic:markov --cases 3
python benchmarks/picture_rows.py EVALUATION OUT.jpg --protocol synthetic:markov --landmarks   # as Figs. 13 to 19 of the paper

EVALUATION is the folder that `streamdeblur evaluate --out` has written. The cases are those with the best, the median and the
worst gain of the method `--by` in PSNR, where no sharp face is known in the cosine to the reference, or `--names`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from page_pictures import picture_beside, shown
from result_tables import short_name

from streamdeblur.evaluation.cases import Image
from streamdeblur.evaluation.report.panels import chosen_cases, with_landmarks
from streamdeblur.evaluation.results import FaceResult, ResultFolder

COLUMNS = 6
"""Pictures beside each other; more go into further rows."""
SIDE = 192
"""Side of a picture in pixels; with landmarks twice the side of a face."""
QUALITY = 92

Results = Mapping[str, Mapping[str, FaceResult]]
"""By case and method."""


@dataclass(frozen=True)
class Sheet:
    """A picture of three faces as all methods of an evaluation restore them."""

    name: str
    description: str
    """For those who do not see it."""
    columns: int
    side: int
    """Of each face in pixels."""
    landmarks: bool = False
    by: str = "onnx:lite"
    """The method whose gain chooses the faces."""


def write_sheet_of(sheet: Sheet, folder: ResultFolder, protocol: str, page: Path) -> str:
    """Write a sheet beside a page; returns the Markdown that shows it."""
    target = picture_beside(page, f"{sheet.name}.jpg")
    results = results_of(folder, protocol)
    write_sheet(target, sheet, folder, protocol, results, cases_of(results, 3, sheet.by))
    return shown(target, sheet.description)


def results_of(folder: ResultFolder, protocol: str) -> Results:
    """The results of a protocol."""
    found: dict[str, dict[str, FaceResult]] = defaultdict(dict)
    for one in folder.of_protocol(protocol):
        found[one.case][one.method] = one
    return found


def cases_of(results: Results, count: int, by: str) -> list[str]:
    """The cases with the best, the median and the worst gain of a method; more of each for a larger count.

    Raises:
        SystemExit: There are no faces that it restored.
    """
    both = {case: (methods[by], methods["blurred"]) for case, methods in results.items() if by in methods}
    if not both:
        raise SystemExit(f"The evaluation has no faces that `{by}` restored.")
    metric = "psnr" if all("psnr" in restored.metrics for restored, _ in both.values()) else "cosine"
    gains = {case: restored.metrics[metric] - blurry.metrics[metric] for case, (restored, blurry) in both.items()}
    chosen = chosen_cases(gains, max(1, count // 3))
    return list(dict.fromkeys(case for kind in chosen.values() for case in kind))[:count]


def pictures_of(folder: ResultFolder, protocol: str, case: str, results: Results, *, landmarks: bool) -> dict[str, Image]:
    """The pictures of a case by their titles: blurry, each method, sharp; or a reference where no sharp face is known."""
    found: dict[str, Image] = {}
    for name in ("blurred", *(one for one in results[case] if one not in ("blurred", "oracle")), "oracle"):
        picture = folder.read_picture(protocol, case, name) if name in results[case] else None
        if picture is None:
            continue
        if landmarks:
            picture = with_landmarks(picture, results[case][name].landmarks, results[case][name].true_landmarks)
        found[title_of(name)] = picture
    reference = folder.read_picture(protocol, case, "reference")
    return found if reference is None or "sharp" in found else found | {"reference": reference}


def title_of(method: str) -> str:
    """A short name for a picture."""
    name = {"blurred": "blurry", "oracle": "sharp"}.get(method) or short_name(method)
    return f"{name}, step 1" if "output=coarse" in method else name


def sheet_of(pictures: Mapping[str, Image], side: int, columns: int) -> Image:
    """All pictures of a case in rows, with their titles."""
    tiles = []
    for title, picture in pictures.items():
        shrinks = side < len(picture)
        tile = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        for colour, width in ((0, 3), (255, 1)):
            cv2.putText(tile, title, (5, side - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (colour,) * 3, width, cv2.LINE_AA)
        tiles.append(tile)
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)])


def write_sheet(path: Path, sheet: Sheet, folder: ResultFolder, protocol: str, results: Results, cases: Sequence[str]) -> None:
    """Write the cases below each other, with a white line between them.

    Raises:
        SystemExit: The file cannot be written.
    """
    shown = (pictures_of(folder, protocol, case, results, landmarks=sheet.landmarks) for case in cases)
    rows = [sheet_of(pictures, sheet.side, sheet.columns) for pictures in shown]
    line = np.full((6, rows[0].shape[1], 3), 255, np.uint8)
    joined = np.vstack([part for row in rows for part in (row, line)][:-1])
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if path.suffix in (".jpg", ".jpeg") else []
    if not cv2.imwrite(str(path), joined[..., ::-1], quality):
        raise SystemExit(f"Cannot write {path}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--protocol", required=True)
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--names", nargs="+", help="names of cases")
    parser.add_argument("--by", default="onnx:lite", help="the method whose gain chooses the cases")
    parser.add_argument("--landmarks", action="store_true", help="draw landmarks, with lines from where they should be")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    arguments = parser.parse_args()
    folder = ResultFolder(arguments.evaluation)
    results = results_of(folder, arguments.protocol)
    names = arguments.names or cases_of(results, arguments.cases, arguments.by)
    sheet = Sheet(arguments.out.stem, "", arguments.columns, arguments.side, arguments.landmarks, arguments.by)
    write_sheet(arguments.out, sheet, folder, arguments.protocol, results, names)


if __name__ == "__main__":
    main()
