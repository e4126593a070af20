"""RecordingFile: the file of one recording, with its name from the beginning, which no other recording writes."""

from __future__ import annotations

import io
import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

from streamdeblur.errors import OutputError
from streamdeblur.partial_file import PartialFile, lock, sync_file, sync_folder

LEAST_FREE = 64 * 2**20
"""Bytes that must be free to go on with a recording that was interrupted, most likely by a disk that is full."""


class RecordingFile:
    """A file that is open for writing, as `av.open` takes it: each write reaches the operating system before it returns.

    Attributes:
        name: Its path, from whose suffix FFmpeg chooses the container.
        error: The first error of a write. Some containers report it late, and some do not.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Open the file; the content of an existing one is kept until the first write.

        Args:
            path: The file.
            overwrite: Take an existing file.

        Raises:
            FileExistsError: The file exists.
            OutputError: The folder does not exist or cannot be written, or something else is writing this file.
        """
        self.name = str(path)
        self.error: OSError | None = None
        # A job that is writing a video of this name holds its temporary file.
        PartialFile(path, exclusive=True).discard()
        exclusively = 0 if overwrite else os.O_EXCL
        try:
            # without a buffer, so that all that FFmpeg has written outlives this process
            self._file = io.FileIO(path, "w", opener=lambda name, usual: os.open(name, usual & ~os.O_TRUNC | exclusively, 0o666))
        except FileExistsError:
            raise
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from None
        if lock(self._file.fileno(), wait=False) is False:
            self._file.close()
            raise OutputError(f"{path} is being recorded by another run. Wait for its end, or choose another name.")
        self._status, self._untouched = os.fstat(self._file.fileno()), True

    def __repr__(self) -> str:
        return f"RecordingFile({self.name!r})"

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write all of the data."""
        try:
            if self._untouched:
                self._file.truncate(0)
                self._untouched = False
            if os.fstat(self._file.fileno()).st_nlink == 0:
                raise FileNotFoundError(2, "it was deleted meanwhile")
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
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
        sync_file(self.name)
        sync_folder(Path(self.name).parent)

    def remove(self) -> None:
        """Close the file and remove it, unless it is another one by now, or still has the content that was to be replaced."""
        self._file.close()
        with suppress(OSError):
            status = os.stat(self.name)
            if os.path.samestat(status, self._status) and not (self._untouched and status.st_size):
                os.unlink(self.name)


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
            raise OutputError(f"{self._path} exists. Give --overwrite to replace it.") from None
        self._interrupted = True
        return file

    def _open_next(self) -> RecordingFile:
        try:
            if shutil.disk_usage(self._path.parent).free < LEAST_FREE:
                raise OutputError(f"Less than {LEAST_FREE // 2**20} MiB are free in {self._path.parent}.")
        except OSError as error:
            raise OutputError(f"Cannot write in {self._path.parent}: {error.strerror}.") from None
        for number in count(1):
            suffix = f"-{number}" if number > 1 else ""
            with suppress(FileExistsError):
                return RecordingFile(self._path.with_name(f"{self._path.stem}{suffix}{self._path.suffix}"), overwrite=False)
        raise AssertionError
