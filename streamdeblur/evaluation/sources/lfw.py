"""Labeled Faces in the Wild as distributed (Huang et al. 2007), or any pictures with pairs in its format."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationFace, EvaluationStill, make_data_set
from streamdeblur.evaluation.sources.files import find_files, read_lines, safe_name
from streamdeblur.evaluation.sources.pictures import face_in, read_picture
from streamdeblur.evaluation.sources.viola_jones import cropped_box
from streamdeblur.training.datasets.pictures import PICTURES

PAIRS = ("pairs.txt", "pairs.csv")

Pair = tuple[int, str, str, bool]
"""Fold, names of two pictures without suffix, whether they show the same person."""


def has_pairs(path: Path) -> bool:
    """Return whether this folder holds a list of pairs."""
    return any((path / name).is_file() for name in PAIRS)


def open_lfw(path: Path) -> DataSet:
    """Open pictures ``NAME_0001.jpg``, in folders or not, and ``pairs.txt`` in the format of LFW, or ``pairs.csv`` (columns
    fold, a, b, same: names of files).

    The face is in the middle, because LFW's pictures were cropped around detected faces. Pictures without a pair are left out.

    Raises:
        InputError: The list cannot be read, or all its pictures are missing.
    """
    listed = next(file for name in PAIRS if (file := path / name).is_file())
    pairs = _read_text(listed) if listed.suffix == ".txt" else _read_table(listed)
    files = {file.stem: file for file in find_files(path, PICTURES)[1]}
    wanted = dict.fromkeys(name for _, first, second, _ in pairs for name in (first, second))
    bad = {name: "no picture of this name" for name in wanted if name not in files}
    stills = [EvaluationStill(safe_name(name), partial(_face, files[name]), _person(name)) for name in wanted if name in files]
    comparisons = [
        Comparison(fold, safe_name(first), safe_name(second), same)
        for fold, first, second, same in pairs
        if first in files and second in files
    ]
    return make_data_set(path, f"pictures with {listed.name}", bad, stills=stills, comparisons=comparisons)


def _person(name: str) -> str:
    return name.rpartition("_")[0]


def _face(file: Path) -> EvaluationFace:
    picture = read_picture(file)
    return face_in(picture, cropped_box(*picture.shape[:2]))


def _read_text(file: Path) -> list[Pair]:
    """Read LFW's format: a line with the numbers of folds and of pairs of each kind; then for each fold that many lines
    ``NAME N M`` of one person and as many lines ``NAME N OTHER M`` of two people."""
    lines = [line.split() for line in read_lines(file) if line.strip()]
    pairs: list[Pair] = []
    try:
        header = [int(value) for value in lines[0]]
        # Lists for development have one fold, and their header holds only the number of pairs.
        each = header[-1]
        for number, line in enumerate(lines[1:]):
            name, first, *other, second = line
            fold = number // (2 * each) + 1
            pairs.append((fold, f"{name}_{int(first):04d}", f"{(other or [name])[0]}_{int(second):04d}", not other))
        if len(pairs) != 2 * each * (header[0] if len(header) == 2 else 1):
            raise ValueError
    except (ValueError, IndexError, ZeroDivisionError):
        raise InputError(f"{file} is not in the format of LFW's pairs.txt, near line {len(pairs) + 2}.") from None
    return pairs


def _read_table(file: Path) -> list[Pair]:
    try:
        rows = csv.DictReader(read_lines(file))
        return [(int(row["fold"]), Path(row["a"]).stem, Path(row["b"]).stem, bool(int(row["same"]))) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{file} needs the columns fold (a number), a, b (names of files) and same (1 or 0).") from None
