"""RecordingFile: the file of one recording, with its name from the beginning, which no other recording writes."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from streamdeblur.errors import OutputError
from streamdeblur.files import existing, fitting_name
from streamdeblur.partial_file import PartialFile, lock, sync_file, sync_folder

LEAST_FREE = 64 * 2**20
"""Bytes that must be free to go on with a recording that was interrupted, most likely by a disk that is full."""

REPLACED_AFTER_SECONDS = 0.5


class RecordingFile:
    """A file that is open for writing, as `av.open` takes it: each write reaches the operating system before it returns.

    It has its name from the beginning. Only where it replaces another file, it gets the name after half a second, so that a disk
    that is full does not cost both.

    Attributes:
        name: Its path, from whose suffix FFmpeg chooses the container.
        error: The first error of a write. Some containers report it late, and some do not.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Create the file.

        Args:
            path: The file.
            overwrite: Replace an existing file.

        Raises:
            FileExistsError: The file exists.
            OutputError: The folder does not exist or cannot be written, or something else is writing this file.
        """
        self.name = str(path)
        self.error: OSError | None = None
        # A job that is writing a video of this name holds its temporary file.
        partial = PartialFile(path, exclusive=True)
        try:
            self._partial = partial if overwrite and _can_be_replaced(path) else None
            if self._partial is None:
                partial.discard()
            # without a buffer, so that all that FFmpeg has written outlives this process
            self._file = io.FileIO(partial.path, "r+") if self._partial else io.FileIO(path, "w" if overwrite else "x")
        except OSError as error:
            partial.discard()
            if isinstance(error, FileExistsError):
                raise
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from None
        except BaseException:
            partial.discard()
            raise
        if self._partial is None:
            lock(self._file.fileno(), wait=False)
        self._status, self._began = os.fstat(self._file.fileno()), time.monotonic()

    def __repr__(self) -> str:
        return f"RecordingFile({self.name!r})"

    @property
    def has_name(self) -> bool:
        """Whether the file has its name, and does not wait to replace another one."""
        return self._partial is None

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write all of the data."""
        try:
            if os.fstat(self._file.fileno()).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, "it was deleted meanwhile")
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            if self._partial is not None and time.monotonic() - self._began > REPLACED_AFTER_SECONDS:
                self._replace()
        except OSError as error:
            self.error = self.error or error
            raise
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def keep(self) -> None:
        """Close the file and write it through to the disk; OSError if that fails."""
        self._file.close()
        if self._partial is not None:
            self._replace()
        sync_file(self.name)
        sync_folder(Path(self.name).parent)

    def remove(self) -> None:
        """Close the file and remove it, unless another one has its name by now."""
        self._file.close()
        if self._partial is not None:
            self._partial.discard()
            return
        with suppress(OSError):
            if os.path.samestat(os.stat(self.name), self._status):
                os.unlink(self.name)

    def _replace(self) -> None:
        """Give the file its name in place of the former one; OSError if that fails."""
        assert self._partial is not None
        try:
            self._partial.complete()
        except OutputError as error:
            raise (error.__cause__ if isinstance(error.__cause__, OSError) else OSError(errno.EIO, str(error))) from None
        self._partial = None
        if not self._file.closed:
            lock(self._file.fileno(), wait=False)


def _can_be_replaced(path: Path) -> bool:
    """Whether a file is there that a file which is open can replace; OutputError if it is a recording that is being written."""
    if sys.platform == "win32":
        # the former file is emptied
        return False
    try:
        with path.open("rb") as former:
            if lock(former.fileno(), wait=False) is False:
                raise OutputError(f"{path} is being recorded by another run. Wait for its end, or choose another name.")
    except FileNotFoundError:
        return False
    return True


class RecordingFiles:
    """The files of a recording: that of its name, and after an interruption the first free one of ``NAME-2``, ``NAME-3``, ..."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Name the recording; `overwrite` lets the first file replace one that exists."""
        self._path, self._overwrite = path, overwrite
        self._interrupted = False

    def open(self) -> RecordingFile:
        """Open the next file.

        Raises:
            OutputError: The folder does not exist, is full or cannot be written, or another run writes the first file.
        """
        if self._interrupted:
            return self._open_next()
        try:
            file = RecordingFile(self._path, overwrite=self._overwrite)
        except FileExistsError:
            raise existing(self._path) from None
        self._interrupted = True
        return file

    def _open_next(self) -> RecordingFile:
        try:
            if shutil.disk_usage(self._path.parent).free < LEAST_FREE:
                raise OutputError(f"Less than {LEAST_FREE // 2**20} MiB are free in {self._path.parent}.")
        except OSError as error:
            raise OutputError(f"Cannot write in {self._path.parent}: {error.strerror}.") from None
        for number in count(1):
            ending = (f"-{number}" if number > 1 else "") + self._path.suffix
            with suppress(FileExistsError):
                return RecordingFile(self._path.with_name(fitting_name(self._path.stem, ending)), overwrite=False)
        raise AssertionError
