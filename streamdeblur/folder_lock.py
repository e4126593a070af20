"""A lock on a folder, so that one process at a time changes what is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamdeblur.files import make_folder
from streamdeblur.partial_file import is_open_at, lock


@contextmanager
def folder_held(folder: Path, on_busy: Callable[[], object]) -> Iterator[None]:
    """Hold a folder, which is made if it does not exist; other processes that ask for it wait, by whatever name or link.

    The lock is one of the system's on the folder itself, which ends with its process, however that ends. Where the system or the
    file system has none (Windows), nothing is held.

    Args:
        folder: The folder.
        on_busy: Called where another process holds it, before this one waits; it may raise an exception instead.

    Raises:
        OutputError: The folder cannot be made.
    """
    descriptor = _held(Path(os.path.realpath(folder)), on_busy)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _held(folder: Path, on_busy: Callable[[], object]) -> int | None:
    while True:
        make_folder(folder)
        descriptor = open_folder(folder)
        if descriptor is None:
            if os.path.isdir(folder):
                return None
            # the process that held it has removed it before it was opened
            continue
        try:
            if lock(descriptor, wait=False) is False:
                on_busy()
                lock(descriptor, wait=True)
            is_there = is_open_at(descriptor, folder)
        except BaseException:
            os.close(descriptor)
            raise
        if is_there:
            return descriptor
        # the process that held it has removed it
        os.close(descriptor)


def open_folder(folder: Path) -> int | None:
    """Return a descriptor of a folder, to lock it; None where the system has none (Windows), or no folder is there but a link."""
    with suppress(OSError):
        return os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0))
    return None
