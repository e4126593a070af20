"""Worker processes, which leave interrupts to the process that started them, and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

from streamdeblur.cores import work_beside
from streamdeblur.partial_file import remove_unfinished

_open: Callable[..., Executor] | None = None
"""What opens pools in place of `open_pool`."""


@contextmanager
def pools_from(opening: Callable[..., Executor]) -> Iterator[None]:
    """Let something else open the pools that are opened in this block, such as ones on other machines."""
    global _open
    before, _open = _open, opening
    try:
        yield
    finally:
        _open = before


def open_pool(count: int, prepare: Callable[..., object] | None = None, *arguments: Any) -> Executor:
    """Start a pool of worker processes.

    Args:
        count: Number of processes.
        prepare: Called in each process before its first task.
        arguments: Its arguments.
    """
    if _open is not None:
        return _open(count, prepare, *arguments)
    _start_tracker()
    # Spawned, not forked: the threads of OpenCV and the engines do not survive a fork.
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, (count, prepare, *arguments))
    with _interrupts_blocked():
        for _ in range(count):
            # each task starts a process, as long as none is idle
            pool.submit(os.getpid)
    return pool


def start_process(count: int, work: Callable[..., object], *arguments: Any) -> SpawnProcess:
    """Start one of several worker processes.

    Args:
        count: Number of processes that work beside each other, and share the cores.
        work: What the process does.
        arguments: Its arguments.
    """
    _start_tracker()
    process = get_context("spawn").Process(target=_begin, args=(count, work, *arguments), daemon=True)
    with _interrupts_blocked():
        process.start()
    return process


def _start_tracker() -> None:
    """Start the process that removes what pools leave behind; after an interrupt it would print a warning that it does so."""
    before = os.environ.get("PYTHONWARNINGS", "")
    os.environ["PYTHONWARNINGS"] = f"{before},ignore:resource_tracker".strip(",")
    try:
        with _interrupts_blocked():
            resource_tracker.ensure_running()
    finally:
        os.environ["PYTHONWARNINGS"] = before


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let processes that are started in this block inherit that interrupts do not reach them, from their first instruction on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(processes: int, prepare: Callable[..., object] | None, *arguments: Any) -> None:
    # Where signals cannot be blocked, this is soon enough for most.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work_beside(processes)
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        remove_unfinished()
        os._exit(1)
