"""PartialFile: a file that gets its name when it is complete and on the disk, and is removed if it never is."""

from __future__ import annotations

import atexit
import errno
import os
import stat
import sys
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from streamdeblur.errors import BusyOutputError, OutputError
from streamdeblur.files import fitting_name

if TYPE_CHECKING:
    import av

LONGEST_STEM = 70
"""Bytes of the temporary name that stand for the target's name; it must fit in the 143 bytes that some file systems allow."""
LONGEST_SUFFIX = 16
BINARY = getattr(os, "O_BINARY", 0)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOST = (*NO_SPACE, errno.EIO)
"""Errors of fsync that mean lost data; all others mean a file system that cannot sync."""


class Partial(ABC):
    """What is written under another name, `path`, and becomes `target` when it is complete.

    As a context manager it yields the path to write to; the end of the block completes it, an error discards it.
    """

    target: Path
    path: Path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.target)!r})"

    @abstractmethod
    def complete(self) -> None:
        """Write the content through to the disk and give it its name."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written, unless it is complete."""

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.complete()
            return
        self.discard()
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise cannot_write(self.target, error) from error


_unfinished: dict[int, weakref.ref[Temporary]] = {}
"""What this process has begun and neither completed nor discarded, by its `id`."""


class Temporary(Partial):
    """What is written beside its target, hidden under a temporary name and locked, until `complete` renames it.

    It is removed with the last reference to it, and at the end of the process.
    """

    _descriptor: int | None = None
    """Holds the lock; None where there are no locks."""
    _is_there = False
    """Whether the temporary name is still this object's; another process may use it after that."""

    def _begin(self) -> None:
        """Make and lock what is written; it is removed if that fails, or is interrupted."""
        _unfinished[id(self)] = weakref.ref(self)
        try:
            self._create()
            self._is_there = True
        except BaseException:
            self.abandon()
            raise

    @abstractmethod
    def _create(self) -> None:
        """Make and lock what is written, under a temporary name that no living process holds."""

    @abstractmethod
    def _remove(self) -> None:
        """Remove what has the temporary name."""

    @abstractmethod
    def _remove_unheld(self) -> None:
        """Remove what has the temporary name, unless another process holds it; nothing where there are no locks."""

    def discard(self) -> None:
        """Remove what was written, unless it is complete."""
        if self._is_there:
            self._is_there = False
            # removed while it is locked: the next process with this target makes its own
            self._remove()
        self._end()

    def abandon(self) -> None:
        """Remove what was written, in whatever state an interrupt has left it."""
        self.discard()
        if hasattr(self, "path"):
            self._remove_unheld()

    def _end(self) -> None:
        self._close()
        _unfinished.pop(id(self), None)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        if id(self) in _unfinished:
            with suppress(OSError):
                self.abandon()


@atexit.register
def remove_unfinished() -> None:
    """Remove all that was begun and neither completed nor discarded, as where an interrupt came before the block that does so."""
    for reference in list(_unfinished.values()):
        partial = reference()
        if partial is not None:
            with suppress(OSError):
                partial.abandon()


if sys.platform != "win32":
    # what a forked process inherits is the work of its parent
    os.register_at_fork(after_in_child=_unfinished.clear)


class PartialFile(Temporary):
    """A file beside its target, hidden under a temporary name, until `complete` renames it.

    The file is locked while its process lives, so the next one with the same target removes what a killed process left behind.
    As a context manager it yields the path to write to; the end of the block completes the file, an error discards it.
    """

    def __init__(self, target: str | Path, *, exclusive: bool = False) -> None:
        """Make the empty file; one that a dead process left for the same target is removed.

        Args:
            target: The file to write. The link stays if it is a symbolic link.
            exclusive: Refuse a target that another running process, or another part of this one, is writing.

        Raises:
            OutputError: The folder does not exist or cannot be written, the target is no regular file, or is being written.
        """
        _check(Path(target))
        self.target, self._exclusive = Path(os.path.realpath(target)), exclusive
        try:
            self._begin()
        except OSError as error:
            raise OutputError(f"Cannot write in {self.target.parent}: {error.strerror}.") from error

    def _create(self) -> None:
        number = 0
        while True:
            self.path = temporary_path(self.target, number)
            try:
                self._descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | BINARY, 0o666)
            except FileExistsError:
                removed = _remove_stale(self.path)
                if self._exclusive and removed is False:
                    raise BusyOutputError(
                        f"{self.target} is being written by another run. Wait for its end, or choose another name."
                    ) from None
                number += not removed
                continue
            lock(self._descriptor, wait=True)
            if is_open_at(self._descriptor, self.path):
                # from here on, no other process takes the file for a stale one
                self._is_there = True
                self._keep_permissions()
                break
            # another process took the file for a stale one before it was locked
            self._close()
        if sys.platform == "win32":
            # an open file can be neither renamed nor removed there
            self._close()

    def _keep_permissions(self) -> None:
        """Give the new file the permissions of the one that it replaces."""
        with suppress(OSError):
            os.chmod(self.path, stat.S_IMODE(self.target.stat().st_mode))

    def complete(self) -> None:
        """Write the content through to the disk and give the file its name.

        Raises:
            OutputError: The disk is full or failing, or the name cannot be given; the file has been removed.
        """
        try:
            self._sync()
            # renamed while it is locked: without the lock another process would take it for a stale one
            os.replace(self.path, self.target)
            self._is_there = False
            self._end()
        except OSError as error:
            self.discard()
            raise cannot_write(self.target, error) from error
        except BaseException:
            # Ctrl-C and exits must not leave an unfinished file behind, either
            self.discard()
            raise
        sync_folder(self.target.parent)

    def _remove(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _remove_unheld(self) -> None:
        _remove_stale(self.path)

    def _sync(self) -> None:
        if self._descriptor is not None:
            _sync_descriptor(self._descriptor)
        else:
            sync_file(self.path)


def write_file(target: str | Path, content: bytes | str) -> None:
    """Write a whole file; what stood there before is replaced only when the new content is on the disk.

    Text is written as UTF-8; bytes of file names in it that are none become escapes.

    Raises:
        OutputError: The file cannot be written; what stood there before is intact.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with PartialFile(target) as path, writing(target):
        path.write_bytes(data)


@contextmanager
def writing(target: str | Path) -> Iterator[None]:
    """Turn errors of the operating system, such as that of a full disk, into the OutputError that names the target."""
    try:
        yield
    except OSError as error:
        raise cannot_write(target, error) from error


def cannot_write(target: str | Path, error: OSError | av.FFmpegError) -> OutputError:
    """Return the error that names a file which could not be written, and why."""
    if error.errno in NO_SPACE:
        return OutputError(f"No space left to write {target}; nothing was kept.")
    return OutputError(f"Cannot write {target}: {error.strerror or error}.")


def sync_file(path: str | Path) -> None:
    """Write a file through to the disk, where the file system can do that.

    Raises:
        OSError: The disk is full or failing.
    """
    descriptor = os.open(path, os.O_RDWR | BINARY)
    try:
        _sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: str | Path) -> None:
    """Write the names in a folder through to the disk, so that a rename outlasts a power cut; where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check(target: Path) -> None:
    if not os.path.isdir(target.parent):
        raise OutputError(f"The folder {target.parent} does not exist. Create it first.")
    try:
        # refuses names that the file system does not take, before any work is done for them
        is_replaceable = stat.S_ISREG(target.stat().st_mode)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot write {target}: {getattr(error, 'strerror', None) or error}.") from None
    if not is_replaceable:
        raise OutputError(f"{target} is no regular file, so it cannot be replaced. Choose another name.")


def temporary_path(target: Path, number: int) -> Path:
    """Return the temporary path beside a target; a long name is shortened, and told apart by its checksum."""
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= LONGEST_SUFFIX else ""
    return target.with_name(f".{fitting_name(target.stem, limit=LONGEST_STEM)}.partial-{number}{suffix}")


def _remove_stale(path: Path) -> bool | None:
    """Remove a temporary file if no process holds its lock.

    Returns:
        Whether it is gone: True; False: another process holds it; None: that cannot be found out.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | BINARY)
    except OSError as error:
        return True if error.errno == errno.ENOENT else None
    try:
        locked = lock(descriptor, wait=False)
        if locked and is_open_at(descriptor, path):
            path.unlink()
        return locked
    except OSError:
        return None
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool, shared: bool = False) -> bool | None:
    """Lock a file for as long as the descriptor is open; a shared lock excludes those alone that are not.

    Returns:
        Whether that was possible; None where the system or the file system has no locks.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_open_at(descriptor: int, path: Path) -> bool:
    """Return whether the path still names what is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sync_descriptor(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in LOST:
            raise
