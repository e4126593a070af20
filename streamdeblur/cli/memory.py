"""Too little memory, told in words."""

from __future__ import annotations

import errno

REFUSED = 2
"""Exit code, as in `exit_codes`, which imports more than a command that is refused needs."""
SMALLEST_ADDRESS_SPACE = 3 << 30
"""Bytes of address space that a picture needs on two cores. Libraries that find less end the process or wait without end."""
SIGNS = ("can't start new thread", "failed to map segment", "cannot allocate memory", "std::bad_alloc")
"""What errors for lack of memory or of threads say, in lower case."""
ADVICE = "Close other programs, give smaller files or a smaller --workers, or raise its limits (ulimit -v, ulimit -u)."


def small_limit() -> str | None:
    """Return in words that the address space of this process is limited to too little; None where it is not."""
    try:
        import resource
    except ImportError:
        # Windows has no such limit
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= SMALLEST_ADDRESS_SPACE:
        return None
    wanted = f"streamdeblur needs {SMALLEST_ADDRESS_SPACE / 1e9:.1f} GB or more"
    return f"The memory of this process is limited to {limit / 1e9:.1f} GB, and {wanted}. Raise the limit (ulimit -v)."


def lack_of_memory(error: BaseException) -> str | None:
    """Return in words that an error is about too little memory or too few threads; None for any other error."""
    text = str(error)
    lacking = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if lacking or (isinstance(error, Exception) and any(sign in text.lower() for sign in SIGNS)):
        return f"There is too little memory, or there are too many threads{f' ({text})' if text else ''}. {ADVICE}"
    return None
