"""The scheduling of this process, which an encoder must not change."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

THREADS = Path("/proc/self/task")


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """Keep the scheduling policy of this thread, and give it to the threads that are started meanwhile.

    Where the user is root, as in most containers, SVT-AV1 moves the thread that opens it and its own threads to the policy
    SCHED_FIFO with the highest priority. Each thread and process that is started later would inherit it, and nothing else could
    run on their cores.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters, before = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        for thread in {0} | (_threads() - before):
            # a thread may have ended; without the right to change the policy, nothing has changed it
            with suppress(OSError):
                os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    """The ids of this process's threads; none where /proc is not mounted."""
    try:
        return {int(name) for name in os.listdir(THREADS)}
    except OSError:
        return set()
