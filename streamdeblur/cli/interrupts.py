"""Interrupts: Ctrl-C, SIGTERM, and a terminal that is closed, at any moment of a command.

This module is imported first, and imports only what Python has loaded anyway.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130
"""Exit code, as shells count it: 128 and the number of SIGINT."""
PATIENCE = 3
"""The interrupt of this number ends the program at once."""
BURST_SECONDS = 1.0
"""Time in which signals other than Ctrl-C count as one: who closes a terminal or ends a service sends several together."""
IMPORT_SECONDS = 0.05
"""Interval at which an interrupt that arrives during an import is repeated."""
ENDING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # SIGBREAK: on Windows, the console window is closed
    if hasattr(signal, name)
]

Handler = Any


@contextmanager
def ended_at_once() -> Iterator[None]:
    """End the program at the first signal of `ENDING` in this block, where nothing has been begun that could be left half-done.

    An exception would not do: in the midst of an import, it comes out as another one, with a traceback.
    """
    with _handled(ENDING, _end_at_once):
        yield


def _end_at_once(*_: object) -> None:
    with suppress(OSError):
        os.write(2, b"Interrupted.\n")
    os._exit(INTERRUPTED)


class Interrupts:
    """Turns the first signal that ends a program into a KeyboardInterrupt in the main thread, as a context manager.

    What is cleaned up after it is not interrupted again; the third signal ends the program at once.

    Attributes:
        count: Number of signals so far.
    """

    def __init__(self) -> None:
        self.count = self._repeated = 0
        self._first_at = 0.0
        self._terminals: list[int] = []

    def __enter__(self) -> Self:
        self._terminals = [descriptor for descriptor in (0, 1, 2) if _is_terminal(descriptor)]
        self._handlers = _handled(ENDING, self._receive)
        self._handlers.__enter__()
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._raise_again
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        sys.unraisablehook = self._unraisable
        self._handlers.__exit__(None, None, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            self._leave_terminals()
        if self.count == 0 and _is_importing(frame):
            # modules written in C turn the exception into others, or lose it
            _repeat(number, IMPORT_SECONDS)
            return
        self.count += 1
        if self.count == 1:
            self._first_at = time.monotonic()
            raise KeyboardInterrupt
        if number == signal.SIGINT or time.monotonic() - self._first_at > BURST_SECONDS:
            self._repeated += 1
            self._answer_again(number)

    def _answer_again(self, number: int) -> None:
        if 1 + self._repeated >= PATIENCE:
            os._exit(INTERRUPTED)
        if number == signal.SIGINT:
            with suppress(OSError):
                os.write(2, b"Finishing what was begun. Press Ctrl-C once more to end at once.\n")

    def _raise_again(self, lost: UnraisableHookArgs) -> None:
        """Repeat an interrupt that arrived where exceptions are lost, such as in a destructor."""
        if issubclass(lost.exc_type, KeyboardInterrupt):
            self.count = self._repeated = 0
            _repeat(signal.SIGINT, IMPORT_SECONDS)
        else:
            self._unraisable(lost)

    def _leave_terminals(self) -> None:
        """Send to nowhere what is still written to a terminal that is gone, by whatever thread or library."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in self._terminals:
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


@contextmanager
def _handled(numbers: list[signal.Signals], handler: Handler) -> Iterator[None]:
    """Let a function handle these signals, unless they are ignored, as by nohup; in the main thread only."""
    before: dict[signal.Signals, Handler] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in numbers}
        before = {number: former for number, former in before.items() if former is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib._bootstrap"):
            return True
        frame = frame.f_back
    return False


def _repeat(number: int, seconds: float) -> None:
    """Send this process a signal again after some time."""

    def send() -> None:
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            _thread.interrupt_main(signal.Signals(number))

    timer = threading.Timer(seconds, send)
    timer.daemon = True
    timer.start()
