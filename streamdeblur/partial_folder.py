"""PartialFolder: a folder that gets its name when all its files are complete and on the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from streamdeblur.errors import OutputError
from streamdeblur.files import make_folder
from streamdeblur.folder_lock import open_folder
from streamdeblur.partial_file import Temporary, is_open_at, lock, sync_file, sync_folder, temporary_path, writing


class PartialFolder(Temporary):
    """A folder beside its target, hidden under a temporary name, until `complete` renames it.

    It is locked while its process lives, so the next one with the same target removes what a killed process left behind. As a
    context manager it yields the path of the folder; the end of the block completes it, an error discards it.
    """

    def __init__(self, target: str | Path, *, replace: bool = True) -> None:
        """Make the empty folder; one that a dead process left for the same target is removed.

        Args:
            target: The folder to write; its parents are made.
            replace: Replace a folder that stands there; otherwise only an empty one.

        Raises:
            OutputError: The folder cannot be made.
        """
        self.target, self.replace = Path(os.path.realpath(target)), replace
        make_folder(self.target.parent)
        try:
            self._begin()
        except OSError as error:
            raise OutputError(f"Cannot write in {self.target.parent}: {error.strerror}.") from None

    def _create(self) -> None:
        number = 0
        while True:
            self.path = temporary_path(self.target, number)
            try:
                self.path.mkdir()
            except FileExistsError:
                number += not _remove_stale(self.path)
                continue
            self._descriptor = open_folder(self.path)
            if self._descriptor is None or lock(self._descriptor, wait=True) is None:
                # where there are no locks, no other process takes the folder for a stale one
                return
            if is_open_at(self._descriptor, self.path):
                return
            # another process took the folder for a stale one before it was locked
            self._close()

    def complete(self) -> None:
        """Write all files through to the disk and give the folder its name.

        Raises:
            OutputError: The disk is full or failing, or the name cannot be given; the folder has been removed.
        """
        try:
            with writing(self.target):
                _sync_tree(self.path)
                self._rename()
        except BaseException:
            self.abandon()
            raise
        self._end()
        sync_folder(self.target.parent)

    def _rename(self) -> None:
        """Rename the folder; one that it replaces is moved aside first, and removed last."""
        if self.replace and self.target.is_dir():
            shutil.rmtree(self._former, ignore_errors=True)
            os.rename(self.target, self._former)
        os.rename(self.path, self.target)
        self._is_there = False
        self._remove_former()

    @property
    def _former(self) -> Path:
        """Where the folder that is replaced waits until the new one has its name."""
        return self.path.with_name(f"{self.path.name}.replaced")

    def _remove_former(self) -> None:
        """Remove the folder that was replaced, or give it back its name if nothing has taken its place."""
        if os.path.isdir(self._former) and not os.path.lexists(self.target):
            os.rename(self._former, self.target)
        shutil.rmtree(self._former, ignore_errors=True)

    def _remove(self) -> None:
        self._remove_former()
        shutil.rmtree(self.path, ignore_errors=True)

    def _remove_unheld(self) -> None:
        if _remove_stale(self.path):
            self._remove_former()


def _remove_stale(folder: Path) -> bool:
    """Remove a temporary folder if no process holds its lock; return whether it is gone."""
    descriptor = open_folder(folder)
    if descriptor is None:
        return not os.path.lexists(folder)
    try:
        if lock(descriptor, wait=False) and is_open_at(descriptor, folder):
            shutil.rmtree(folder, ignore_errors=True)
        return not os.path.lexists(folder)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    """Write the files of a folder and its subfolders through to the disk, and then their names."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync_file(Path(root, name))
        sync_folder(root)
