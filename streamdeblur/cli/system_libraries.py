"""Libraries of the operating system that a package links to and a bare machine lacks, told in words."""

from __future__ import annotations

import re

MISSING = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")
"""What the loader of Linux says."""


def missing_library(error: BaseException) -> str | None:
    """Return in words that an import failed for want of a library of the system; None for any other error."""
    missing = MISSING.search(str(error)) if isinstance(error, ImportError) else None
    if missing is None:
        return None
    return f"The library {missing[1]} of the system is missing. OpenCV needs: apt install libgl1 libglib2.0-0 (Debian, Ubuntu)."
