"""What is opened by one thread at a time, again in a forked process, and closed before the process ends.

Runtimes of networks keep threads. A forked process has none of them: a call that waits for them would wait for ever. And a thread
that calls back into an interpreter that is ending aborts the process.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

from streamdeblur.errors import EngineError

Opened = TypeVar("Opened")

_lock = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one thread at a time import a runtime and open something with it, because imports are not complete in between."""
    with _lock:
        yield


def _new_lock() -> None:
    """Replace the lock, which another thread of the parent may have held when this process was forked from it."""
    global _lock
    _lock = threading.RLock()


class _Closable(Protocol):
    def close(self) -> None:
        """Wait for what is in flight, and accept nothing more. Closing again does nothing."""


_open: WeakSet[_Closable] = WeakSet()
"""What this process has opened and still refers to."""


def close_at_exit(opened: _Closable) -> None:
    """Close what has threads of its own before the interpreter ends, if it has not been collected by then."""
    _open.add(opened)


@atexit.register
def _close_all() -> None:
    for opened in list(_open):
        try:
            opened.close()
        except Exception as error:
            # a runtime may raise anything; the others are closed all the same, and nobody is left who could handle it
            logging.getLogger(__name__).debug("Closing %s: %s", opened, error)


class ReopenedAfterFork(Generic[Opened]):
    """An object with threads of its own, which is opened again in each forked process that uses it."""

    def __init__(self, open_it: Callable[[], Opened]) -> None:
        """Open the object, one thread at a time."""
        self._open = open_it
        with one_at_a_time():
            self._opened, self._process = open_it(), os.getpid()
        _reopened.add(self)

    @property
    def current(self) -> Opened:
        """The object of this process.

        Raises:
            EngineError: It cannot be opened again, as on a GPU.
        """
        if self._process != os.getpid():
            with one_at_a_time():
                self._reopen()
        return self._opened

    def _reopen(self) -> None:
        try:
            opened = self._open()
        except Exception as error:
            # each runtime raises types of its own where its device cannot be used after a fork
            raise EngineError(f"{error}. This process was forked; start processes by 'spawn' instead.") from error
        self._opened, self._process = opened, os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether the object belongs to the process that this one was forked from, and has not been opened again."""
        return self._process != os.getpid()


_reopened: WeakSet[ReopenedAfterFork[Any]] = WeakSet()


def _keep_inherited() -> None:
    """Let a forked process never free what its parent has opened: to free it would be to wait for the parent's threads."""
    for inherited in list(_reopened):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited._opened))


if hasattr(os, "register_at_fork"):
    for renew in (_new_lock, _open.clear, _keep_inherited):
        os.register_at_fork(after_in_child=renew)
