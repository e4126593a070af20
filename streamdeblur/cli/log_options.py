"""The options of all commands for what is logged: how much is shown, and a file for all of it."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from streamdeblur.cli.output import shown_level
from streamdeblur.cli.parameters import Quiet

LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
OPTIONAL_VALUES = {"--verbose": "debug", "-v": "debug"}
"""Options that may stand without a value, and what they mean then."""

Verbose = Annotated[
    Literal["error", "warning", "info", "debug"] | None,
    typer.Option(
        "--verbose",
        "-v",
        metavar="LEVEL",
        help="What is shown: error, warning, info (the default) or debug, which is all; alone: debug.",
    ),
]
Log = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE", help="Write all that happens to this file as well, with times and details."),
]

logger = logging.getLogger("streamdeblur")


def with_log_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give the function of a command the options --quiet, --verbose and --log."""

    @functools.wraps(function)
    def command(*, verbose: str | None, log: Path | None, quiet: bool, **values: Any) -> None:
        level = LEVELS[verbose] if verbose else logging.WARNING if quiet else logging.INFO
        if has_quiet:
            values["quiet"] = level >= logging.WARNING
        with _log_file(log), shown_level(level):
            function(**values)

    parameters = dict(inspect.signature(function, eval_str=True).parameters)
    has_quiet = "quiet" in parameters
    for name, annotation, default in (("quiet", Quiet, False), ("verbose", Verbose, None), ("log", Log, None)):
        added = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        parameters.setdefault(name, added)
    ordered = sorted(parameters.values(), key=lambda parameter: parameter.kind)
    # typer reads this attribute, which mypy does not know of functions
    command.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return command


class _LogFile(logging.FileHandler):
    """Appends each message to a file, with its time, level and module."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._path = path

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of the base class
        """Say once that the log cannot be written: it must not cost the work."""
        logger.removeHandler(self)
        typer.echo(f"Warning: The log {self._path} cannot be written any more: {sys.exc_info()[1]}.", err=True)


@contextmanager
def _log_file(path: Path | None) -> Iterator[None]:
    """Log to a file as well, in detail."""
    if path is None:
        yield
        return
    try:
        _refuse_other_files(path)
        handler = _LogFile(path)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"Cannot write the log {path}: {getattr(error, 'strerror', None) or error}.") from None
    logger.addHandler(handler)
    handler.emit(logger.makeRecord("streamdeblur", logging.INFO, "", 0, _called(), (), None))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


def _called() -> str:
    """The version and the arguments of this process, without the secrets of URLs."""
    from streamdeblur import __version__
    from streamdeblur.video.source import shown_source

    return f"{__version__}: {' '.join(map(shown_source, sys.argv[1:]))}"


def _refuse_other_files(path: Path) -> None:
    """Raise ValueError for a file that is no log: lines that are appended to a video would damage it."""
    if path.exists() and os.path.getsize(path):
        with path.open("rb") as file:
            if b" streamdeblur" not in file.readline(200):
                raise ValueError("this file exists, and is no log of streamdeblur")
