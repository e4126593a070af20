"""The process of a command: standard streams that may be closed, full or without a reader, and a home that may be missing."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

NOT_PRINTED = 2
"""Exit code where results could not be printed, as for every output that cannot be written."""
NO_READER = 141
"""As shells count it: 128 and the number of SIGPIPE. The program that reads the results has ended, as `head` does."""
NO_HOME = "/nonexistent"
"""The home of users without one, as Debian names it: nothing can be written there."""
TRACEBACK = "STREAMDEBLUR_TRACEBACK"
"""Environment variable that shows where an error that is not expected was raised."""

logger = logging.getLogger(__name__)


@contextmanager
def prepared_process() -> Iterator[None]:
    """Run a command in a process with three usable standard streams and a name for the home folder."""
    _open_standard_descriptors()
    if os.path.expanduser("~") == "~":
        # packages would write to a folder of the name '~', or fail
        os.environ["HOME"] = NO_HOME
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - lives as long as the process
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _guarded(sys.stdout, _Results), _guarded(sys.stderr, _Messages)
    try:
        with _thread_errors_in_a_line():
            yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            # what other code has printed and not flushed
            stream.flush()
            if isinstance(stream, _Guarded):
                stream.detach()
        sys.stdout, sys.stderr = before


@contextmanager
def _thread_errors_in_a_line() -> Iterator[None]:
    """Log what ends a thread of a library, as a full disk does, in a line; nothing once the command has told how it ended."""
    before, running = threading.excepthook, True

    def tell(ended: threading.ExceptHookArgs) -> None:
        if os.environ.get(TRACEBACK):
            before(ended)
        elif running and ended.exc_type is not SystemExit:
            reason = getattr(ended.exc_value, "strerror", None) or f"{ended.exc_type.__name__}: {ended.exc_value}"
            logger.warning("A background thread ended: %s.", " ".join(reason.split()).removesuffix("."))

    threading.excepthook = tell
    try:
        yield
    finally:
        running = False
        # The process of a command ends now, and threads after it; a program that runs commands keeps its own hook.
        if before is not threading.__excepthook__:
            threading.excepthook = before


def _open_standard_descriptors() -> None:
    """Open the null device for standard streams that are closed, so that no other file gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # gets the lowest free number
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _guarded(stream: TextIO | None, kind: type[_Guarded]) -> Any:
    """Return the stream with errors handled; None, a stream that was closed, becomes one that discards."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        # one that a program has put in place of it
        return stream
    with suppress(OSError):
        stream.flush()
    # names that the encoding lacks are printed with escapes, where Python would raise an error after the work
    return kind(stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering, write_through=True)


class _Guarded(io.TextIOWrapper):
    """A standard stream whose errors do not become tracebacks."""

    def write(self, text: str) -> int:
        """Write text; what cannot be written is handled by `_lost`."""
        try:
            return super().write(text)
        except OSError as error:
            self._lost(error)
            return len(text)
        except ValueError:
            # detached at the end of the command, while a thread still writes
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            super().flush()
        except OSError as error:
            self._lost(error)
        except ValueError:
            # detached, as above
            return

    def _discard(self) -> None:
        """Discard what is written from now on, and what is buffered."""
        with suppress(OSError, ValueError):
            descriptor = os.open(os.devnull, os.O_WRONLY)
            os.dup2(descriptor, self.fileno())
            os.close(descriptor)

    def _lost(self, error: OSError) -> None:
        raise NotImplementedError


class _Results(_Guarded):
    """stdout: what cannot be printed ends the command, since results are lost."""

    def _lost(self, error: OSError) -> None:
        self._discard()
        if isinstance(error, BrokenPipeError):
            raise SystemExit(NO_READER) from None
        print(f"Error: Cannot print the results: {error.strerror}.", file=sys.stderr)
        raise SystemExit(NOT_PRINTED) from None


class _Messages(_Guarded):
    """stderr: messages that nobody can read are discarded."""

    def _lost(self, error: OSError) -> None:
        self._discard()
