"""Exit codes: what a command does with an error or an interrupt."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import typer

from streamdeblur.cli.existing import in_options
from streamdeblur.cli.interrupts import INTERRUPTED, Interrupts
from streamdeblur.cli.memory import lack_of_memory
from streamdeblur.cli.output import print_json, show_log
from streamdeblur.cli.process import TRACEBACK
from streamdeblur.cli.resuming import InterruptedWork
from streamdeblur.cli.system_libraries import missing_library
from streamdeblur.errors import StreamDeblurError
from streamdeblur.partial_file import remove_unfinished

FAILED = 1
"""A file of several failed."""
REFUSED = 2
"""An input, an output or a setting cannot be used."""

logger = logging.getLogger(__name__)


@contextmanager
def handle_errors(*, quiet: bool = False, json: bool = False, err: bool = False) -> Iterator[None]:
    """Run a command: show the log, and turn errors and interrupts into a message and an exit code.

    Args:
        quiet: Show warnings and errors only.
        json: Print an error as JSON, too.
        err: Print that JSON on stderr.

    Raises:
        typer.Exit: An error of streamdeblur was raised.
    """
    with Interrupts() as interrupts, show_log(quiet=quiet):
        try:
            yield
        except typer.Exit:
            raise
        except StreamDeblurError as error:
            if interrupts.count:
                _end_interrupted(json=json, err=err)
            _refuse(in_options(str(error)), json=json, err=err)
        except Exception as error:
            # guards everything that a command does: whatever escapes it is told in a line, and no traceback
            if interrupts.count:
                _end_interrupted(json=json, err=err)
            if os.environ.get(TRACEBACK):
                raise
            logger.debug("Where it was raised:", exc_info=True)
            _refuse(_in_words(error), json=json, err=err)
        except InterruptedWork as interrupt:
            _end_interrupted(str(interrupt), json=json, err=err)
        except BaseException:
            # An interrupt may come out as any error, for example as that of a process that ended by the same Ctrl-C.
            if interrupts.count:
                _end_interrupted(json=json, err=err)
            raise


def _refuse(message: str, *, json: bool, err: bool) -> NoReturn:
    logger.error(message)
    if json:
        print_json({"error": message, "exit_code": REFUSED}, err=err)
    raise typer.Exit(REFUSED) from None


def _in_words(error: Exception) -> str:
    """What an error that no part of streamdeblur has explained means to a user."""
    words = lack_of_memory(error) or missing_library(error)
    if words:
        return words
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return f"Internal error: {type(error).__name__}: {error}. Please report it with what {TRACEBACK}=1 shows."


def _end_interrupted(left: str = "No partial output was left.", *, json: bool, err: bool) -> NoReturn:
    remove_unfinished()
    # where a terminal was closed, there may be nobody to tell
    with suppress(OSError, ValueError):
        typer.echo(f"Interrupted. {left}", err=True)
        if json:
            print_json({"error": "interrupted", "exit_code": INTERRUPTED}, err=err)
        sys.stdout.flush()
    # All is closed by now. An orderly exit would end the threads of engines in the midst of their work, which aborts.
    os._exit(INTERRUPTED)
