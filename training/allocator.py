"""Settings of the C library's memory allocator."""

from __future__ import annotations

import ctypes
import sys

M_MMAP_MAX, M_TRIM_THRESHOLD = -4, -1
"""Parameters of glibc's mallopt(3)."""


def keep_freed_memory() -> None:
    """Make the process keep large freed blocks instead of returning them to the kernel; has no effect without glibc.

    Every training step allocates and frees the same gigabytes. If they were returned, the kernel would zero and map each page
    again in the next step.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
