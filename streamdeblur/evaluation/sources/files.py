"""Files of data sets: finding them, and naming the cases that they hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain, count
from pathlib import Path

from streamdeblur.errors import InputError
from streamdeblur.training.datasets.identities import Identities, Identity


def safe_name(text: str) -> str:
    """Replace all letters that names of cases may not have."""
    return "".join(letter if letter.isalnum() or letter in "._-/" else "-" for letter in text)


def unique_names(names: Iterable[str]) -> list[str]:
    """Make names unique: a number is added to each that occurred before."""
    taken = dict[str, None]()
    for name in names:
        taken[next(other for other in chain([name], (f"{name}-{n}" for n in count(2))) if other not in taken)] = None
    return list(taken)


def find_files(path: Path, suffixes: Collection[str]) -> tuple[Path, list[Path]]:
    """Find the files with these suffixes in a folder and its subfolders, without hidden ones.

    Returns:
        The folder, and its files sorted by name; of a file, its folder and the file itself.
    """
    if path.is_file():
        return path.parent, [path]
    found = (file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
    return path, sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def read_lines(file: Path) -> list[str]:
    """Read the lines of a text file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8 text.") from None


def file_names(files: Iterable[Path], root: Path) -> list[str]:
    """Name each file below `root`: its path relative to it, without suffix."""
    return unique_names(safe_name(file.relative_to(root).with_suffix("").as_posix()) for file in files)


def read_identities(root: Path) -> Identities:
    """Read whom the files of a folder show: from ``FOLDER.csv`` beside it (columns file and identity), else by subfolder.

    Raises:
        InputError: The table cannot be read.
    """
    table = root.resolve().with_name(f"{root.resolve().name}.csv")
    return Identities.read(table if table.is_file() else None)


def person_of(known: Identity) -> str:
    """Return a person's name; '' if unknown."""
    return "" if known.source == "file" else known.name
