"""Disks that are full: a limit on the size of files in this process, and a small disk in a namespace of its own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

resource = pytest.importorskip("resource", reason="limits of a process are those of POSIX")


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every write beyond this many bytes of a file fail, as on a full disk."""
    former, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (former, most))


def namespace_command() -> list[str]:
    """Return the beginning of a command that may mount disks which only it sees; skips where that is not allowed."""
    command = ["unshare", "--map-root-user", "--mount"]
    if shutil.which(command[0]) is None:
        pytest.skip("needs the command unshare")
    tried = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"mounting in a namespace is not allowed here: {tried.stderr.strip()}")
    return command
