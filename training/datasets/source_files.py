"""Source files: which a data set is made of, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamdeblur.errors import InputError, OutputError, StreamDeblurError
from streamdeblur.training.datasets.shards import Sample, json_bytes

SOURCES = "sources"
"""Key of the last sample of a part, which states what became of each source in it."""


@dataclass
class SourceFile:
    """What became of one file."""

    file: str
    """Its path in the folder that was given."""
    sha256: str = ""
    person: str = ""
    """The identity that decides whether it is held out."""
    problem: str = ""
    """Why it could not be used at all; '' where it could."""
    dropped: dict[str, int] = field(default_factory=dict)
    """How many of its faces were left out, by reason."""
    items: list[dict[str, Any]] = field(default_factory=list)
    """Key of each of its samples, and the perceptual hashes (hexadecimal) that `DuplicateFinder.add` compares."""

    @contextmanager
    def noting_problems(self) -> Iterator[None]:
        """Note an error of the body as the problem of this file; that an output cannot be written is raised."""
        try:
            yield
        except OutputError:
            raise
        except StreamDeblurError as error:
            self.problem = str(error)
        except Exception as error:
            # libraries that read damaged files raise errors of any type; the other files continue
            self.problem = f"{type(error).__name__}: {error}"

    def drop(self, reason: str) -> None:
        """Count a face that is left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


def sources_sample(sources: Iterable[SourceFile]) -> Sample:
    """Return the last sample of a part: what became of its source files."""
    return Sample(SOURCES, {"json": json_bytes({"sources": [vars(source) for source in sources]})})


def find_files(folder: Path, suffixes: Collection[str], out: Path) -> tuple[Path, list[Path]]:
    """Find the files of a data set, also in subfolders, in the order of their names.

    Args:
        folder: A folder; a file is the only one of the folder that it is in.
        suffixes: Kinds of files.
        out: Folder whose files are left out.

    Returns:
        The folder and its files.

    Raises:
        InputError: There are none.
    """
    if folder.is_file():
        return folder.parent, [folder]
    if not folder.is_dir():
        raise InputError(f"No such file or folder: {folder}.")
    files = sorted((p for p in folder.rglob("*") if _wanted(p, folder, suffixes)), key=Path.as_posix)
    whole, made = folder.resolve(), out.resolve()
    if made.is_relative_to(whole):
        # the output of an earlier run in this folder is not one of its sources
        files = [file for file in files if not file.is_relative_to(folder / made.relative_to(whole))]
    if not files:
        raise InputError(f"There is nothing to work on in {folder}. Known kinds: {', '.join(sorted(suffixes))}.")
    return folder, files


def _wanted(file: Path, folder: Path, suffixes: Collection[str]) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in suffixes and not hidden and file.is_file()
