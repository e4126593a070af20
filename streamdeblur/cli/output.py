"""What a command prints: log messages on stderr, results as text, JSON or a table on stdout."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import typer


class _LogHandler(logging.Handler):
    """Writes log messages to stderr, with the level in front of warnings and errors."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.capitalize()}: " if record.levelno >= logging.WARNING else ""
        # A message that nobody can read, as on a terminal that was closed, must not end the thread that logs it.
        with suppress(OSError, ValueError):
            # not by typer.echo, which writes past a progress bar
            print(f"{prefix}{record.getMessage()}", file=sys.stderr, flush=True)


@contextmanager
def show_log(*, quiet: bool = False) -> Iterator[None]:
    """Show what the package logs on stderr; with `quiet`, warnings and errors only."""
    logger, handler = logging.getLogger("streamdeblur"), _LogHandler()
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def print_json(content: Mapping[str, object], *, err: bool = False) -> None:
    """Print one JSON object on a line of its own: the last line of stdout, or of stderr where stdout holds frames (`err`)."""
    typer.echo(json.dumps(content, default=str), err=err)


def terminal_width() -> int:
    """Return the characters of a line of the terminal; 80 where stdout is none."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table on stdout. Columns that hold numbers are aligned at the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for number, column in enumerate(columns):
        numeric = any(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    Console().print(table)
