"""The memory of a test's own process."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def peak_memory() -> int:
    """Return the most bytes of memory that this process has had since its program began.

    The counter of getrusage also holds what the process that started it had before.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024


@contextmanager
def growth_below(most: int) -> Iterator[None]:
    """Assert that the memory of this process rises by less than so many bytes in this context.

    Linux forgets the former peak when it is told to; elsewhere only what rises beyond it is seen.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    yield
    assert peak_memory() - before < most
