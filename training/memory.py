"""How the memory of a training is kept."""

from __future__ import annotations

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1
"""Parameters of glibc's mallopt(3)."""


def keep_freed_memory() -> None:
    """Keep large freed blocks in the process instead of returning each to the kernel; with glibc only.

    Every step takes and frees the same gigabytes; given back, each page is zeroed and mapped anew in the next step.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, -1)
