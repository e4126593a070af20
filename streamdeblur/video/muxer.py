"""Muxer: an output container that may fail, and is not touched again after it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import av


class CheckedFile(Protocol):
    """A file that keeps the first error of its writes."""

    error: OSError | None

    def close(self) -> None:
        """Close the file; a container that is open cannot write its end any more."""


class Muxer:
    """Writes packets into an output container, until something fails.

    FFmpeg frees the state of a muxer whose header it cannot write, so that packets which follow crash the process. After a
    failure, each call therefore raises the first error again, without a call of FFmpeg.
    """

    def __init__(self, container: av.container.OutputContainer, file: CheckedFile | None = None) -> None:
        """Take over an open container.

        Args:
            container: The container, whose packets and end are written by this object only.
            file: The file that the container was opened with, for muxers that do not report each error of a write.
        """
        self._container, self._file = container, file
        self._error: Exception | None = None

    def __repr__(self) -> str:
        return f"Muxer({self._container!r}, error={self._error!r})"

    def start(self) -> None:
        """Write the header; FFmpegError or OSError if that fails."""
        with self._until_failure():
            self._container.start_encoding()

    def mux(self, packets: Iterable[av.Packet[av.stream.Stream]]) -> None:
        """Write packets; FFmpegError or OSError if that fails, or failed before."""
        self._refuse_after_failure()
        for packet in packets:
            with self._until_failure():
                self._container.mux_one(packet)

    def offer(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Write a packet that the container may refuse, as FFmpegError: one without which the file is complete as well.

        An OSError, and what fails with the header, end the use of the container as they do in `mux`.
        """
        import av

        self.start()
        refused = None
        with self._until_failure():
            try:
                self._container.mux_one(packet)
            except OSError:
                raise
            except av.FFmpegError as error:
                refused = error
        if refused is not None:
            raise refused

    def finish(self) -> None:
        """Write what is still held back and the end of the file; FFmpegError or OSError if that fails, or failed before."""
        with self._until_failure():
            self._container.close()

    def abandon(self) -> None:
        """Free the container without writing the end of the file, as far as that is possible."""
        import av

        if self._file is not None:
            self._file.close()
        # PyAV writes no end into a closed file, nor after a header that failed. Connections are closed with the end of a stream.
        with suppress(av.FFmpegError, OSError):
            self._container.close()

    def _refuse_after_failure(self) -> None:
        if self._error is not None:
            # without the traceback, which would keep the frames of the failure in memory
            raise self._error.with_traceback(None)

    @contextmanager
    def _until_failure(self) -> Iterator[None]:
        self._refuse_after_failure()
        try:
            yield
            if self._file is not None and self._file.error is not None:
                raise self._file.error
        except Exception as error:
            # Any error ends the use of the container, and all are passed on.
            self._error = (self._file.error if self._file is not None else None) or error
            raise self._error from None
