"""Who is seen: identities from a table or from folders, and the split that keeps each person on one side."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streamdeblur.errors import InputError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True)
class Identity:
    """Whom a file shows."""

    name: str
    source: Literal["table", "folder", "file"]
    """Where the name comes from; 'file': nobody said, so the file is taken for a person of its own."""


@dataclass(frozen=True)
class Identities:
    """Names the person of each file in a folder: from a table, else its first subfolder, else the file's own name."""

    table: dict[str, str] = field(default_factory=dict)
    """Identity by file: path in the folder, or name."""

    @classmethod
    def read(cls, table: Path | None) -> Identities:
        """From a CSV with the columns file and identity; other columns are not looked at.

        Raises:
            InputError: it cannot be read, or lacks these columns.
        """
        if table is None:
            return cls()
        try:
            with table.open(newline="", encoding="utf-8-sig") as lines:
                reader = csv.DictReader(lines)
                missing = {"file", "identity"} - set(reader.fieldnames or ())
                if missing:
                    raise InputError(f"{table} lacks the column {' and '.join(sorted(missing))}: it needs file and identity.")
                return cls({row["file"]: (row["identity"] or "").strip() for row in reader})
        except OSError as error:
            raise InputError(f"Cannot read {table}: {error.strerror}.") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{table} is no CSV: {error}.") from None

    def of(self, file: Path) -> Identity:
        """The identity of a file, given by its path in the folder."""
        named = self.table.get(file.as_posix()) or self.table.get(file.name)
        if named:
            return Identity(named, "table")
        if len(file.parts) > 1:
            return Identity(file.parts[0], "folder")
        return Identity(file.stem, "file")


def split_of(name: str, held_out: float) -> Split:
    """The side of a person: test for a share `held_out` of all names, by a hash, so it never changes as people are added."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    return "test" if place < held_out else "train"
