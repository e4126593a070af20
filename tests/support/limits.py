"""Limits of the operating system, for disks that are full."""

from __future__ import annotations

from contextlib import contextmanager

import pytest


@contextmanager
def file_size_limit(size):
    """Let no file of this process grow beyond this many bytes: a write fails as it does on a disk that is full."""
    resource = pytest.importorskip("resource", reason="limits are of Unix")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
