"""Outlet: a sink in its own thread, which is opened again when it was lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import OutputError, StreamDeblurError
from streamdeblur.live.sinks import Sink, SinkOpener
from streamdeblur.live.timing import Backoff

if TYPE_CHECKING:
    import av


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame on its way to the sinks; not to be changed any more."""

    frame: av.VideoFrame
    captured: float
    """`time.monotonic` of its capture."""
    restored: bool = True
    """False for a notice that stands for frames that do not come."""


class Outlet:
    """Takes frames without ever making anybody wait."""

    def __init__(self, name: str, opener: SinkOpener, say: Callable[[str], object], written: Callable[[Shown], object]) -> None:
        """`written` is called in the outlet's thread after each frame."""
        self.name = name
        self.dropped = 0
        self.gone = False
        """Lost, and it cannot be opened again."""
        self._opener, self._say, self._written = opener, say, written
        self._sink: Sink | None = None
        self._waiting: deque[Shown] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._backoff = Backoff()
        self._thread = threading.Thread(target=self._run, name=f"outlet {name}", daemon=True)

    def open(self, frame: av.VideoFrame, rate: Fraction, began: float) -> None:
        """Open the sink for frames like this one.

        Raises:
            OutputError: it cannot be opened.
        """
        self._example, self._rate, self._began = frame, rate, began
        self._sink = self._opener(frame, rate)
        self.steady, self._capacity = self._sink.steady, self._sink.capacity
        self._thread.start()

    def put(self, shown: Shown) -> None:
        """Hand over a frame; the oldest one that waits is dropped where there are too many."""
        with self._changed:
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(shown)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits and finish.

        Raises:
            OutputError: what was written cannot be finished.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                shown = self._waiting.popleft()
            self._write(shown)

    def _write(self, shown: Shown) -> None:
        if self._sink is None and (self.gone or not self._reopened()):
            self.dropped += 1
            return
        assert self._sink is not None
        try:
            self._sink.write(shown.frame, shown.captured - self._began)
        except OutputError as error:
            self._lost(error)
            return
        self._written(shown)

    def _reopened(self) -> bool:
        if not self._backoff.due():
            return False
        try:
            self._sink = self._opener(self._example, self._rate)
        except StreamDeblurError:
            self._backoff.failed()
            return False
        self._backoff.succeeded()
        self._say(f"{self.name} is back.")
        return True

    def _lost(self, error: OutputError) -> None:
        sink, self._sink = self._sink, None
        assert sink is not None
        self.gone = not sink.lasting
        again = "" if self.gone else f" Trying again in {self._backoff.failed():g} s."
        self._say(f"Warning: {error}{again}")
        try:
            sink.close()
        except OutputError as second:
            self._say(f"Warning: {second}")
