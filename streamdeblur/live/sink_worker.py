"""SinkWorker: writes frames to a sink in its own thread and opens it again after a failure."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import NoReaderError, StreamDeblurError
from streamdeblur.live.sinks import Sink, SinkOpener
from streamdeblur.live.timing import LONGEST_PAUSE, Backoff

if TYPE_CHECKING:
    import av

    from streamdeblur.video.description import StreamTags

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.1
"""Interval at which a sink that is waited for is watched."""
CLOSING_SECONDS = 10.0
"""Time without progress after which a sink is left as it is at the end of a stream."""
COMPLETION_SECONDS = 120.0
"""The same for a sink that may take as long as it needs: a disk writes gigabytes through, or wakes up."""


@dataclass(frozen=True, eq=False)
class OutputFrame:
    """A frame on its way to the sinks, which must not change it."""

    frame: av.VideoFrame
    captured_at: float
    """`time.monotonic` of its capture."""
    is_status: bool = False
    """Whether it is a status message in place of a missing frame."""


class SinkWorker:
    """Passes frames to a sink without blocking the thread that delivers them.

    Attributes:
        name: Name of the sink, see `LiveOptions.to`.
        dropped: Number of frames that were not written.
        lost: Whether the sink failed, or takes nothing any more, and cannot be opened again.
        without_reader: Whether it is lost because the program that read it has ended.
        problem: Message of the failure while the sink is lost or waits to be opened again, or if it could not be completed;
            otherwise None.
        continuous: See `Sink`; known once the sink is open.
    """

    def __init__(
        self,
        name: str,
        opener: SinkOpener,
        on_written: Callable[[OutputFrame], object] | None = None,
        on_warning: Callable[[str], object] = logger.warning,
        *,
        blocking: bool = False,
        alone: bool = False,
    ) -> None:
        """Prepare the thread.

        Args:
            name: Name of the sink for messages.
            opener: Opens the sink, in `open` and after each failure.
            on_written: Called in the worker's thread after each frame.
            on_warning: Called with a message for the user when the sink is lost or cannot be completed.
            blocking: Make `put` wait for room in the queue, so that no frame is dropped.
            alone: No other sink waits for this one.
        """
        self.name = name
        self.dropped = 0
        self.lost = False
        self.without_reader = False
        self.problem: str | None = None
        self.continuous = False
        self._opener, self._on_written, self._warn = opener, on_written, on_warning
        self._blocking, self._alone = blocking, alone
        self._sink: Sink | None = None
        self._queue: deque[OutputFrame] = deque()
        self._closed = self._abandoned = False
        self._changed = threading.Condition()
        self._backoff = Backoff()
        self._stable_at: float | None = None
        self._writes_since: float | None = None
        self._progress_at, self._limit = 0.0, CLOSING_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)

    def __repr__(self) -> str:
        return f"SinkWorker({self.name!r}, dropped={self.dropped}, lost={self.lost})"

    def open(self, frame: av.VideoFrame, rate: Fraction, tags: StreamTags | None = None) -> None:
        """Open the sink for frames like this one and start the thread.

        Args:
            frame: The first frame.
            rate: Frames per second.
            tags: What the source says about its video, and its frames do not.

        Raises:
            OutputError, OptionError: The sink cannot be opened.
        """
        self._video = frame, rate, tags
        self._sink = self._opener(*self._video)
        self.continuous, self._capacity = self._sink.continuous, self._sink.capacity
        self._limit = COMPLETION_SECONDS if self._sink.patience is None else CLOSING_SECONDS
        self._thread.start()

    def put(self, output: OutputFrame) -> None:
        """Add a frame to the queue; if it is full, the oldest frame is dropped."""
        with self._changed:
            if self._blocking:
                while not self.lost and not self._changed.wait_for(lambda: len(self._queue) < self._capacity, WATCH_SECONDS):
                    self.watch()
            if len(self._queue) >= self._capacity:
                self._count_dropped(self._queue.popleft())
            self._queue.append(output)
            self._changed.notify_all()

    def watch(self) -> None:
        """Give up a write that takes longer than the sink's `patience`; to be called now and then.

        A sink that cannot be opened again is waited for as long as it holds nobody up: in real time its own frames are dropped,
        and the only sink of a file has no other beside it. At the end of the stream it is given up.
        """
        with self._changed:
            sink, since = self._sink, self._writes_since
            if sink is None or since is None or sink.patience is None or time.monotonic() - since < sink.patience:
                return
            if not sink.reopenable and not self._closed and (self._alone or not self._blocking):
                return
            # once for each write
            self._writes_since = None
            if not sink.reopenable:
                self._abandon(f"{self.name} has taken no frame for {sink.patience:g} s.")
        sink.abort()

    def end(self) -> None:
        """Let the thread write the queue, close the sink and end; `close` waits for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """Write the queue and close the sink; `problem` tells whether that failed, or made no progress for too long."""
        self.end()
        if self._thread.ident is None:
            self._close_sink()
            return
        try:
            self._wait()
        except BaseException:
            # An interrupt while waiting: the output is completed all the same.
            self._wait()
            raise

    def _wait(self) -> None:
        """Wait for the end of the thread, unless the sink is given up meanwhile."""
        began = time.monotonic()
        while self._thread.is_alive() and not self._abandoned:
            self._thread.join(WATCH_SECONDS)
            self.watch()
            if time.monotonic() - max(began, self._progress_at) > self._limit:
                self._abandon(f"{self.name} could not be completed: nothing was written for {self._limit:g} s.")

    def _abandon(self, problem: str) -> None:
        """Go on without the sink, whose thread may wait for ever."""
        self.lost = self._abandoned = True
        self.problem = problem
        self._warn(problem)

    def _run(self) -> None:
        while (output := self._next()) is not None:
            self._write(output)
        # In this thread, because interrupts arrive in the main one, where they could spoil what is being completed.
        self._close_sink()

    def _next(self) -> OutputFrame | None:
        """The next frame of the queue; None once the worker is closed and the queue is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return None
            output = self._queue.popleft()
            self._changed.notify_all()
            return output

    def _write(self, output: OutputFrame) -> None:
        sink = None if self._abandoned else self._sink or self._reopened()
        if sink is None:
            self._count_dropped(output)
            return
        self._writes_since = time.monotonic()
        try:
            sink.write(output.frame)
        except Exception as error:
            # Guards the thread against encoders and drivers, whose bindings raise errors of any type: an error that escaped
            # would fill the queue for ever. The other sinks continue, and this one is opened again.
            self._count_dropped(output)
            self._discard(sink, error)
            return
        finally:
            self._writes_since = None
        self._progress_at = time.monotonic()
        if self._abandoned:
            return
        self._works()
        if self._on_written:
            self._on_written(output)

    def _count_dropped(self, output: OutputFrame) -> None:
        self.dropped += not output.is_status

    def _reopened(self) -> Sink | None:
        if self.lost or not self._backoff.due():
            return None
        try:
            self._sink = self._opener(*self._video)
        except StreamDeblurError:
            self._backoff.failed()
        return self._sink

    def _works(self) -> None:
        """Note that a frame was written. The pauses become short again only later, because a full disk takes a few frames."""
        if self.problem is not None:
            self.problem = None
            logger.info("Reopened %s.", self.name)
            self._stable_at = time.monotonic() + LONGEST_PAUSE
        elif self._stable_at is not None and time.monotonic() > self._stable_at:
            self._stable_at = None
            self._backoff.succeeded()

    def _discard(self, sink: Sink, error: Exception) -> None:
        self._sink = None
        if self._abandoned:
            # told already
            return
        self.lost = not sink.reopenable
        self.without_reader = isinstance(error, NoReaderError)
        self.problem = str(error)
        self._warn(f"{error}{'' if self.lost else f' Retrying in {self._backoff.failed():g} s.'}")
        try:
            sink.close()
        except StreamDeblurError as second:
            self._warn(str(second))

    def _close_sink(self) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            sink.close()
        except Exception as error:
            # Guards the other sinks, which are closed next, against encoders and drivers, as above.
            self.problem = str(error)
            self._warn(str(error))
