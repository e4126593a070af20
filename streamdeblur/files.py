"""Output files and folders: checks before any work is done, and names that file systems accept."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from streamdeblur.errors import InputError, OutputError

LONGEST_NAME = 255
"""Bytes of a name that common file systems accept."""
REPLACING = "Give overwrite=True to replace it"
"""What Python is told of an output that exists; commands name their options in place of it (`cli/existing.py`)."""


def fitting_name(stem: str, ending: str = "", *, limit: int = LONGEST_NAME) -> str:
    """Return the name `stem` + `ending`, the stem shortened where the name would be too long.

    Args:
        stem: Any name; where it is shortened, its checksum tells it apart from others.
        ending: A number, a suffix or both, kept as they are.
        limit: Bytes of the name.
    """
    encoded, room = os.fsencode(stem), limit - len(os.fsencode(ending))
    if len(encoded) <= room:
        return stem + ending
    checksum = f"-{zlib.crc32(encoded):08x}"
    return encoded[: room - len(checksum)].decode(errors="ignore") + checksum + ending


def check_target(source: str | Path, target: Path, *, overwrite: bool) -> None:
    """Refuse a target that must not be written.

    Raises:
        OutputError: The target is the source, a folder, or exists and `overwrite` is not set.
    """
    # the functions of os.path take paths that no file can have for paths where nothing is; the methods of Path raise
    if os.path.isdir(target):
        raise OutputError(f"{target} is a folder. Name a file in it, or give --out {target}.")
    refuse_inputs(target, source)
    refuse_existing(target, overwrite=overwrite)


def is_same(path: str | Path, other: str | Path) -> bool:
    """Return whether two paths lead to the same file or folder, however they are spelled; False where one leads nowhere."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def refuse_inputs(target: Path, *sources: str | Path) -> None:
    """Refuse to replace an input, whatever name or link it is given by.

    Raises:
        OutputError: The target is one of the sources.
    """
    # FFmpeg takes file:talk.mp4 for talk.mp4
    files = [source if os.path.exists(source) else str(source).removeprefix("file:") for source in sources]
    if any(is_same(file, target) for file in files):
        raise OutputError(f"{target} is the input itself. Choose another name for the output.")


def refuse_inside(folder: Path, inputs: Path) -> None:
    """Refuse to write into a folder of inputs, where the next run would take the results for inputs.

    Raises:
        OutputError: The folder is that of the inputs, or in it.
    """
    real = Path(os.path.realpath(folder))
    if any(is_same(part, inputs) for part in (real, *real.parents)):
        raise OutputError(f"{folder} is in {inputs}, the input itself. Choose another folder for the output.")


def refuse_pipes(source: str | Path) -> None:
    """Refuse what is no file on a disk, such as a named pipe, as one of many inputs: the others would wait for its writer.

    Raises:
        InputError: The source is a pipe, a socket or a device.
    """
    if os.path.exists(source) and not os.path.isfile(source) and not os.path.isdir(source):
        raise InputError(f"{source} is no regular file. Save it as one, or give it as the only input.")


def refuse_same_streams(source: int, target: int) -> None:
    """Refuse to read a file and to append to it at the same time, which would not end.

    Args:
        source: Descriptor to read.
        target: Descriptor to write.

    Raises:
        OutputError: Both are one regular file.
    """
    if os.path.isfile(source) and os.path.isfile(target) and os.path.samefile(source, target):
        raise OutputError("stdout is the input itself. Choose another file for the output.")


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Refuse to replace what exists.

    Raises:
        OutputError: The target exists and `overwrite` is not set.
    """
    if os.path.lexists(target) and not overwrite:
        raise existing(target)


def existing(target: Path) -> OutputError:
    """Return the error for a target that exists and is not to be replaced."""
    return OutputError(f"{target} exists. {REPLACING}.")


def make_folder(folder: Path) -> None:
    """Make a folder and its parents.

    Raises:
        OutputError: The folder cannot be made.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OutputError(f"{folder} is a file, not a folder. Name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot make the folder {folder}: {getattr(error, 'strerror', None) or error}.") from error
