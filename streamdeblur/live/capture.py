"""Capture: reads a source in its own thread and opens it again after a failure, unless it is a recording."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.live.latest_frame import LatestFrameSlot
from streamdeblur.live.sources import LiveSource
from streamdeblur.live.timing import Backoff, FrameInterval
from streamdeblur.video.conversion import to_editable_format

if TYPE_CHECKING:
    import av

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
"""Interval at which a pause between two attempts to reconnect checks whether the capture has been stopped."""


@dataclass(frozen=True, eq=False)
class CapturedFrame:
    """A frame and the time of its capture."""

    frame: av.VideoFrame
    captured_at: float
    """`time.monotonic` when the source delivered the frame."""


class Capture:
    """Keeps the latest frame of a source in a slot.

    Attributes:
        name: Name of the source for messages.
        rate: Frames per second, as far as the source states it.
        realtime: Whether frames arrive at their own times, so that those not taken in time are stale.
        interval: Time between two frames, as stated or as measured.
        frames: The slot with the latest frame.
        first: The first frame of the source.
        tags: What the source says about its video, and its frames do not.
        problem: Message of the last error while the source is lost, otherwise None.
    """

    def __init__(self, opener: Callable[[], LiveSource], on_warning: Callable[[str], object]) -> None:
        """Open the source and read its first frame.

        Args:
            opener: Opens the source, now and after each failure; one that ends by itself is not opened again.
            on_warning: Called with a message for the user when the source is lost, or parts of it cannot be decoded.

        Raises:
            InputError: The source cannot be opened or delivers no frame.
        """
        self._opener, self._warn = opener, on_warning
        self._source = opener()
        self.name, self.rate, self.realtime = self._source.name, self._source.rate, self._source.realtime
        self.tags = self._source.tags
        self.interval = FrameInterval(1 / float(self.rate), recorded=self._source.finite)
        self.problem: str | None = None
        self.frames = LatestFrameSlot[CapturedFrame](blocking=not self.realtime)
        self._running, self._damage_is_told = True, False
        self._iterator = self._source.frames()
        self.first = self._read_first()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        if self.realtime and not self._source.finite:
            # A device continues while engine and sinks are being opened; frames of that time are dropped.
            self._thread.start()

    def __repr__(self) -> str:
        return f"Capture({self.name!r}, rate={self.rate}, realtime={self.realtime})"

    @property
    def description(self) -> str:
        """Name, size and rate of the source."""
        return f"{self.name}, {self.first.width} x {self.first.height}, {float(self.rate):.4g} fps"

    def _read_first(self) -> av.VideoFrame:
        with ExitStack() as stack:
            stack.callback(self._source.close)
            frame = next(self._iterator, None)
            if frame is None:
                raise InputError(f"{self.name} contains no frames.")
            stack.pop_all()
        return to_editable_format(frame)

    def start(self) -> None:
        """Start reading; frames dropped before this call do not count."""
        self.frames.dropped = 0
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Stop reading and close the source."""
        self._running = False
        self.frames.close()
        if self._thread.ident is not None:
            # With a timeout, because a device that does not respond must not keep the program from ending.
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        self._put(self.first)
        backoff = Backoff()
        while self._running:
            try:
                for frame in self._iterator:
                    self._tell_of_damage()
                    if not self._running or not self._put(to_editable_format(frame)):
                        break
                    backoff.succeeded()
                    self.problem = None
                self._tell_of_damage()
                if self._source.finite:
                    break
            except Exception as error:
                # Guards the thread against devices, drivers and decoders, whose bindings raise errors of any type. Whatever it
                # is, the source is opened again; an error that escaped would leave a stream that waits for frames for ever.
                if self._source.finite and not self._source.repeated:
                    # opened again, it would begin anew
                    self._warn(str(error))
                    break
                self._report(error, backoff.failed())
            self._source.close()
            self._reopen(backoff)
        self._source.close()
        self.frames.close()

    def _put(self, frame: av.VideoFrame) -> bool:
        now = time.monotonic()
        self.interval.add(now)
        return self.frames.put(CapturedFrame(frame, now))

    def _tell_of_damage(self) -> None:
        """Warn, once, of parts that the source has left out."""
        if self._source.damaged and not self._damage_is_told:
            self._damage_is_told = True
            self._warn(f"{self.name} is damaged: what cannot be decoded is left out.")

    def _report(self, error: Exception, pause: float) -> None:
        if self.problem is None:
            self._warn(f"{error} Retrying in {pause:g} s.")
        self.problem = str(error)

    def _reopen(self, backoff: Backoff) -> None:
        while self._running:
            while self._running and not backoff.due():
                time.sleep(POLL_SECONDS)
            if not self._running:
                return
            try:
                self._source = self._opener()
            except StreamDeblurError as error:
                self._report(error, backoff.failed())
                continue
            self._iterator = self._source.frames()
            logger.info("Reconnected to %s.", self.name)
            return
