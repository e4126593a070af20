"""StdinFile: stdin as the file that a video is read from."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from typing import TextIO

from streamdeblur.errors import InputError, OutputError

STDIN = STDOUT = "-"
"""A source, or a list of inputs, that is read from stdin; a target that is written to stdout."""


class StdinFile:
    """stdin as `av.open` takes a file. A pipe is read as its bytes come, and a reader that waits for them can be stopped."""

    def __init__(self) -> None:
        """
        Raises:
            InputError: stdin is a terminal, or this process has none.
        """
        self._descriptor = redirected(sys.stdin, "Give a file, or send a video: ... | streamdeblur video - out.mp4.")
        self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._stopped, self._stop = os.pipe()

    def __repr__(self) -> str:
        return "StdinFile()"

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return whether stdin is a file, and not a pipe."""
        return self._regular

    @property
    def hint(self) -> str:
        """Why a video that can be read as a file may not be readable here; empty for a file."""
        reason = " An MP4 file comes through a pipe only if its index is at its beginning (ffmpeg -movflags +faststart)."
        return "" if self._regular else reason

    def read(self, size: int) -> bytes:
        """Return the next bytes, of which there may be less; none at the end, or once the reader is stopped."""
        try:
            # files are always ready; Windows cannot wait for pipes in this way
            if not self._regular and sys.platform != "win32":
                ready, _, _ = select.select([self._descriptor, self._stopped], [], [])
                if self._stopped in ready:
                    return b""
            return os.read(self._descriptor, size)
        except KeyboardInterrupt:
            # PyAV would lose it, and FFmpeg reads again after an error; the program has counted the interrupt
            self.stop()
            raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR)) from None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position in a file; returns it."""
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        """Return the position in a file."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def stop(self) -> None:
        """End a read that waits, and all later ones."""
        os.write(self._stop, b"\0")

    def close(self) -> None:
        """Give back what `stop` needs; stdin stays open."""
        descriptors, self._stopped, self._stop = (self._stopped, self._stop), -1, -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


def descriptor_of(stream: TextIO | None) -> int:
    """Return the descriptor of a standard stream.

    Raises:
        InputError: The process has none, as in a notebook.
    """
    try:
        if stream is not None:
            return stream.fileno()
    except (OSError, ValueError):
        pass  # told below
    raise InputError("This process has no stdin or stdout that a video could pass through. Give a file.")


def redirected(stream: TextIO | None, advice: str) -> int:
    """Return the descriptor of a standard stream that is a pipe or a file.

    Args:
        stream: ``sys.stdin`` or ``sys.stdout``.
        advice: What to do where it is a terminal, on which nobody can type or read frames.

    Raises:
        InputError: stdin is a terminal, or the process has no such stream.
        OutputError: stdout is a terminal.
    """
    descriptor = descriptor_of(stream)
    if os.isatty(descriptor):
        if stream is sys.stdin:
            raise InputError(f"stdin is a terminal. {advice}")
        raise OutputError(f"stdout is a terminal. {advice}")
    return descriptor
