"""What a command tells: progress and messages on stderr, results on stdout, errors in words."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from typing import TYPE_CHECKING, Any

import typer

from streamdeblur.errors import OptionError, StreamDeblurError

if TYPE_CHECKING:
    from streamdeblur.jobs.video import Progress

PLAIN_INTERVAL = 5.0
"""Seconds between two lines of progress where stderr is not a terminal."""


def tell(message: str, *, quiet: bool = False) -> None:
    """A line on stderr."""
    if not quiet:
        typer.echo(message, err=True)


def print_json(content: dict[str, Any], *, err: bool = False) -> None:
    """One JSON object on a line of its own: the last line of stdout; with `err`, where stdout has frames, of stderr."""
    typer.echo(dumps(content, default=str), err=err)


class _Lines(logging.Handler):
    """Shows what the package logs as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())


@contextmanager
def exits(*, quiet: bool = False, json: bool = False, err: bool = False) -> Iterator[None]:
    """Show the log unless `quiet`, and turn errors into a message and an exit code: 2 for wrong input, 130 on an interrupt.

    json, err: see `print_json`.
    """
    log = logging.getLogger("streamdeblur")
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    log.addHandler(_Lines())
    log.propagate = False
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except StreamDeblurError as error:
        tell(f"Error: {error}")
        if json:
            print_json({"error": str(error), "exit_code": 2}, err=err)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        tell("Interrupted; nothing half-written was left.")
        if json:
            print_json({"error": "interrupted", "exit_code": 130}, err=err)
        sys.stdout.flush()
        # All is tidy by now; an orderly exit would take down threads of the engines in the midst of their work, which aborts.
        os._exit(130)
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def needs_extra(name: str, purpose: str) -> Iterator[None]:
    """Says what to install where imports within find a package of the extra `name` missing."""
    try:
        yield
    except ImportError as error:
        raise OptionError(f"{purpose} needs {error.name}. Install it with: pip install 'streamdeblur[{name}]'") from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class ProgressLine:
    """Progress of one video: a bar on a terminal, a line now and then elsewhere, nothing where `quiet`."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name, self._quiet = name, quiet
        self._bar: Any = None
        self._told = time.monotonic()

    def __enter__(self) -> ProgressLine:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.fields[frames]} frames, {task.fields[fps]:.1f} fps"),
                TextColumn("{task.fields[restored]} faces restored, ETA"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None, frames="?", fps=0.0, restored=0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        total = progress.total_frames
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=progress.frames,
                total=total,
                frames=total or "?",
                fps=progress.fps,
                restored=progress.restored,
            )
        elif not self._quiet and time.monotonic() - self._told >= PLAIN_INTERVAL:
            self._told = time.monotonic()
            left = f", ETA {max(0, total - progress.frames) / progress.fps:.0f} s" if total and progress.fps else ""
            tell(f"{self._name}: {progress}{left}")
