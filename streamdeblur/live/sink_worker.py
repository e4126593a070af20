"""Outlet: a sink in its own thread, which is opened again when it was lost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import StreamDeblurError
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
    """Takes frames without making anybody wait for its sink."""

    def __init__(
        self,
        name: str,
        opener: SinkOpener,
        say: Callable[[str], object],
        written: Callable[[Shown], object],
        *,
        patient: bool = False,
    ) -> None:
        """`written` is called in the outlet's thread after each frame. `patient`: `put` waits for room, so nothing is dropped."""
        self.name = name
        self.dropped = 0
        self.gone = False
        """Lost, and it cannot be opened again."""
        self._opener, self._say, self._written, self._patient = opener, say, written, patient
        self._sink: Sink | None = None
        self._waiting: deque[Shown] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._backoff = Backoff()
        self._thread = threading.Thread(target=self._run, name=f"outlet {name}", daemon=True)

    def open(self, frame: av.VideoFrame, rate: Fraction) -> None:
        """Open the sink for frames like this one.

        Raises:
            OutputError, OptionError: it cannot be opened.
        """
        self._example, self._rate = frame, rate
        self._sink = self._opener(frame, rate)
        self.steady, self._capacity = self._sink.steady, self._sink.capacity
        self._thread.start()

    def put(self, shown: Shown) -> None:
        """Hand over a frame; the oldest one that waits is dropped where there are too many."""
        with self._changed:
            if self._patient:
                self._changed.wait_for(lambda: len(self._waiting) < self._capacity)
            elif len(self._waiting) >= self._capacity:
                self.dropped += self._waiting.popleft().restored
            self._waiting.append(shown)
            self._changed.notify_all()

    def close(self) -> None:
        """Write what waits and finish.

        Raises:
            OutputError: what was written cannot be finished.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
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
                self._changed.notify_all()
            self._write(shown)

    def _write(self, shown: Shown) -> None:
        sink = self._sink or self._reopened()
        if sink is None:
            self.dropped += shown.restored
            return
        try:
            sink.write(shown.frame)
        except Exception as error:
            # whatever encoders and drivers raise: the other sinks go on, and this one may work again
            self.dropped += shown.restored
            self._lost(sink, error)
            return
        self._written(shown)

    def _reopened(self) -> Sink | None:
        if self.gone or not self._backoff.due():
            return None
        try:
            self._sink = self._opener(self._example, self._rate)
        except StreamDeblurError:
            self._backoff.failed()
            return None
        self._backoff.succeeded()
        self._say(f"{self.name} is back.")
        return self._sink

    def _lost(self, sink: Sink, error: Exception) -> None:
        self._sink = None
        self.gone = not sink.lasting
        again = "" if self.gone else f" Trying again in {self._backoff.failed():g} s."
        self._say(f"Warning: {error}{again}")
        try:
            sink.close()
        except StreamDeblurError as second:
            self._say(f"Warning: {second}")
