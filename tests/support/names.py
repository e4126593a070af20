"""Names of files that not every file system takes."""

from __future__ import annotations

import pytest


def need_name(path):
    """Make an empty file, or skip the test where the file system or its encoding does not take the name."""
    try:
        path.touch()
    except (OSError, UnicodeError):
        pytest.skip("the file system does not take the name")
