"""Checks of output files and folders before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from streamdeblur.errors import OutputError


def check_target(source: str | Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a target that must not be written.

    Raises:
        OutputError: The target is the source, a folder, or exists and `overwrite` is not set.
    """
    if target.is_dir():
        raise OutputError(f"{target} is a folder. Name a file in it, or give --out {target}.")
    if target.exists() and Path(source).exists() and os.path.samefile(source, target):
        raise OutputError(f"{target} is the input itself. Choose another name for the output.")
    refuse_existing(target, overwrite=overwrite)


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Refuse to replace what exists.

    Raises:
        OutputError: The target exists and `overwrite` is not set.
    """
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists. Give --overwrite (overwrite=True) to replace it.")


def make_folder(folder: Path) -> None:
    """Make a folder and its parents.

    Raises:
        OutputError: The folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder. Name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {folder}: {error.strerror}.") from None
