"""Whom a file shows: identities from a table or from folders."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streamdeblur.errors import InputError


@dataclass(frozen=True)
class Identity:
    """The person whom a file shows."""

    name: str
    source: Literal["table", "folder", "file"]
    """Where the name comes from; 'file': it is not known, and the file is taken for a person of its own."""


@dataclass(frozen=True)
class Identities:
    """Names the person of each file in a folder: from a table, else its first subfolder, else the file's own name."""

    table: dict[str, str] = field(default_factory=dict)
    """Identity by file: path in the folder, or name."""

    @classmethod
    def read(cls, table: Path | None) -> Identities:
        """Read a table of identities.

        Args:
            table: CSV file with the columns file and identity, others are ignored; None for no table.

        Raises:
            InputError: The file cannot be read, or lacks these columns.
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
            raise InputError(f"{table} is not a CSV file: {error}.") from None

    def of(self, file: Path) -> Identity:
        """Return the identity of a file, given by its path in the folder."""
        named = self.table.get(file.as_posix()) or self.table.get(file.name)
        if named:
            return Identity(named, "table")
        if len(file.parts) > 1:
            return Identity(file.parts[0], "folder")
        return Identity(file.stem, "file")
