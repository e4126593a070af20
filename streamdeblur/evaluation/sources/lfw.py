"""Labeled Faces in the Wild as distributed (Huang et al. 2007), or any pictures with pairs in its format."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import partial
from pathlib import Path, PurePath

from streamdeblur.errors import InputError
from streamdeblur.evaluation.cases import Comparison
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationFace, EvaluationStill, make_data_set
from streamdeblur.evaluation.sources.files import find_files, read_lines, safe_name, unique_names
from streamdeblur.evaluation.sources.pictures import face_in, read_picture
from streamdeblur.evaluation.sources.viola_jones import cropped_box
from streamdeblur.training.datasets.pictures import PICTURES

PAIRS = ("pairs.txt", "pairs.csv")

Pair = tuple[int, str, str, bool]
"""Fold, names of two pictures, whether they show the same person."""


def has_pairs(path: Path) -> bool:
    """Return whether this folder holds a list of pairs."""
    return any((path / name).is_file() for name in PAIRS)


def open_lfw(path: Path) -> DataSet:
    """Open pictures ``NAME_0001.jpg``, in folders or not, and ``pairs.txt`` in the format of LFW, or ``pairs.csv`` (columns
    fold, a, b, same: paths of files in the folder, or their names alone).

    The face is in the middle, because LFW's pictures were cropped around detected faces. Pictures without a pair are left out, as
    are, with a warning, names that no picture has, or more than one.

    Raises:
        InputError: The list cannot be read, or all its pictures are missing.
    """
    listed = next(file for name in PAIRS if (file := path / name).is_file())
    pairs = _read_text(listed) if listed.suffix == ".txt" else _read_table(listed)
    pictures, found, bad = PicturesByName(path), dict[str, Path](), dict[str, str]()
    for name in dict.fromkeys(name for _, first, second, _ in pairs for name in (first, second)):
        try:
            found[name] = pictures.find(name)
        except InputError as error:
            bad[name] = str(error)
    # one picture may be named in two ways; it has its first name
    named: dict[Path, str] = {}
    for name, file in found.items():
        named.setdefault(file, _without_suffix(name))
    names = dict(zip(named, unique_names(map(safe_name, named.values())), strict=True))
    stills = [EvaluationStill(name, partial(_face, file), _person(file.stem)) for file, name in names.items()]
    comparisons = [
        Comparison(fold, names[found[first]], names[found[second]], same)
        for fold, first, second, same in pairs
        if first in found and second in found
    ]
    return make_data_set(path, f"pictures with {listed.name}", bad, stills=stills, comparisons=comparisons)


class PicturesByName:
    """The pictures of a folder and its subfolders, by the names that a list gives them."""

    def __init__(self, root: Path) -> None:
        self._root, files = find_files(root, PICTURES)
        self._files = set(files)
        self._by_stem = defaultdict[str, list[Path]](list)
        for file in files:
            self._by_stem[file.stem].append(file)

    def find(self, name: str) -> Path:
        """Return the picture of a name: a path in the folder; else the end of one path, with or without suffix.

        Folders may also be left out of the path, or stand before it, as long as those that both have are the same.

        Raises:
            InputError: No picture has this name, or more than one.
        """
        if (exact := self._root / name) in self._files:
            return exact
        parts = PurePath(_without_suffix(name)).parts
        found = [file for file in self._by_stem[parts[-1] if parts else ""] if self._ends_alike(file, parts)]
        whole = [file for file in found if self._parts(file) == parts]
        if len(whole or found) == 1:
            return (whole or found)[0]
        if not found:
            raise InputError("no picture of this name")
        raise InputError(f"several pictures of this name ({', '.join(str(file.relative_to(self._root)) for file in found)})")

    def _ends_alike(self, file: Path, parts: tuple[str, ...]) -> bool:
        own = self._parts(file)
        common = min(len(own), len(parts))
        return own[-common:] == parts[-common:]

    def _parts(self, file: Path) -> tuple[str, ...]:
        """Its path in the folder, without suffix."""
        return file.relative_to(self._root).with_suffix("").parts


def _without_suffix(name: str) -> str:
    suffix = PurePath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in PICTURES else name


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
        return [(int(row["fold"]), row["a"].strip(), row["b"].strip(), bool(int(row["same"]))) for row in rows]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(f"{file} needs the columns fold (a number), a, b (names of files) and same (1 or 0).") from None
