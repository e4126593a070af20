"""Which files a data set is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from streamdeblur.errors import InputError
from streamdeblur.training.datasets.shards import json_bytes

FORMAT = 1
"""Of the parts: those that an older version began are not gone on with."""


def find_files(folder: Path, suffixes: Collection[str], out: Path) -> tuple[Path, list[Path]]:
    """A folder and its files of these kinds, also in subfolders, in the order of their names; those in `out` are left out.

    A file instead of a folder is the only one of the folder that it is in.

    Raises:
        InputError: there are none.
    """
    if folder.is_file():
        return folder.parent, [folder]
    if not folder.is_dir():
        raise InputError(f"No such file or folder: {folder}.")
    files = sorted((p for p in folder.rglob("*") if _wanted(p, folder, suffixes)), key=Path.as_posix)
    whole, made = folder.resolve(), out.resolve()
    if made.is_relative_to(whole):
        # what an earlier run made in this folder is not one of its sources
        files = [file for file in files if not file.is_relative_to(folder / made.relative_to(whole))]
    if not files:
        raise InputError(f"There is nothing to work on in {folder}. Known kinds: {', '.join(sorted(suffixes))}.")
    return folder, files


def _wanted(file: Path, folder: Path, suffixes: Collection[str]) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in suffixes and not hidden and file.is_file()


def part_name(files: Sequence[Path], root: Path, settings: Any) -> str:
    """A name for what is made of these files: a hash of the settings and of the files' names, sizes and times."""
    stats = [(file.relative_to(root).as_posix(), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json_bytes({"format": FORMAT, "files": stats, "settings": settings})).hexdigest()[:32]
