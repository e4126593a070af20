"""What a command prints: log messages on stderr, results as text, JSON or a table on stdout."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TextIO

import typer

_level: ContextVar[int | None] = ContextVar("level", default=None)


class _LogHandler(logging.Handler):
    """Writes log messages to stderr, with the level in front of warnings and errors."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.capitalize()}: " if record.levelno >= logging.WARNING else ""
        # A message that nobody can read, as on a terminal that was closed, must not end the thread that logs it.
        with suppress(OSError, ValueError):
            # not by typer.echo, which writes past a progress bar
            print(_in_lines(f"{prefix}{printable(record.getMessage())}", sys.stderr), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return a text whose characters that control a terminal are written as escapes: names of files may hold any."""
    return "".join(char if char in "\n\t" or unicodedata.category(char) != "Cc" else repr(char)[1:-1] for char in text)


@contextmanager
def shown_level(level: int) -> Iterator[None]:
    """Let `show_log` show messages of this level and above."""
    before = _level.set(level)
    try:
        yield
    finally:
        _level.reset(before)


@contextmanager
def show_log(*, quiet: bool = False) -> Iterator[None]:
    """Show what the package logs on stderr; with `quiet`, warnings and errors only."""
    logger, handler = logging.getLogger("streamdeblur"), _LogHandler()
    level, propagate = logger.level, logger.propagate
    chosen = logging.INFO if _level.get() is None else _level.get()
    handler.setLevel(max(chosen or 0, logging.WARNING if quiet else 0))
    # a file that is logged to gets all
    logger.setLevel(logging.DEBUG if logger.handlers else handler.level)
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


def print_words(text: str, *, err: bool = False) -> None:
    """Print a sentence of results on stdout, or on stderr (`err`). On a terminal, its lines end between words."""
    typer.echo(_in_lines(text, sys.stderr if err else sys.stdout), err=err)


def _in_lines(text: str, stream: TextIO) -> str:
    """The text as it is written to a stream: on a terminal, its lines end between words."""
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size((80, 24)).columns
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) for line in lines)


def terminal_width() -> int:
    """Return the characters of a line of the terminal; 80 where stdout is none."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table on stdout. Columns that hold numbers are aligned at the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title)
    for number, column in enumerate(columns):
        numeric = any(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        cells = (f"{value:,}" if isinstance(value, int) else printable(str(value)) for value in row)
        # not as the markup of rich, which names may hold, too
        table.add_row(*map(Text, cells))
    Console().print(table)
