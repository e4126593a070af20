"""Capture: a source in its own thread, which is opened again when it was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamdeblur.errors import InputError, StreamDeblurError
from streamdeblur.live.latest_frame import Mailbox
from streamdeblur.live.sources import Source
from streamdeblur.live.timing import Backoff
from streamdeblur.video.reader import editable

if TYPE_CHECKING:
    import av

POLL = 0.05
"""Seconds between two looks at whether to stop, while waiting to try again."""


@dataclass(frozen=True, eq=False)
class Captured:
    """A frame and when it came."""

    frame: av.VideoFrame
    at: float
    """`time.monotonic`."""


class Capture:
    """Puts the newest frame into a mailbox."""

    def __init__(self, opener: Callable[[], Source], say: Callable[[str], object]) -> None:
        """
        Raises:
            InputError: the source cannot be opened, or gives no frame.
        """
        self._opener, self._say = opener, say
        self._source = opener()
        self.name, self.rate, self.paced = self._source.name, self._source.rate, self._source.paced
        self.trouble: str | None = None
        """What is wrong with the source while it is lost."""
        self.frames = Mailbox[Captured](patient=not self.paced)
        self._running = True
        self._iterator = self._source.frames()
        self.first = self._first()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        if self.paced and not self._source.ends:
            # a device goes on while the rest is made ready: what it would keep for later is let go
            self._thread.start()

    def _first(self) -> av.VideoFrame:
        try:
            return editable(next(self._iterator))
        except StopIteration:
            self._source.close()
            raise InputError(f"{self.name} holds no frame.") from None
        except BaseException:
            self._source.close()
            raise

    def start(self) -> None:
        """Begin; what was dropped so far does not count."""
        self.frames.dropped = 0
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """End, and free the device."""
        self._running = False
        self.frames.close()
        if self._thread.ident is not None:
            # (a device that does not answer must not keep the program from ending)
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        self._deliver(self.first)
        backoff = Backoff()
        while self._running:
            try:
                for frame in self._iterator:
                    if not self._running or not self._deliver(editable(frame)):
                        break
                    backoff.succeeded()
                    self.trouble = None
                if self._source.ends:
                    break
            except Exception as error:
                # whatever devices and decoders raise: it may work again when it is opened again
                self._lost(error, backoff.failed())
            self._source.close()
            self._open_again(backoff)
        self._source.close()
        self.frames.close()

    def _deliver(self, frame: av.VideoFrame) -> bool:
        return self.frames.put(Captured(frame, time.monotonic()))

    def _lost(self, error: Exception, pause: float) -> None:
        if self.trouble is None:
            self._say(f"Warning: {error} Trying again in {pause:g} s.")
        self.trouble = str(error)

    def _open_again(self, backoff: Backoff) -> None:
        while self._running:
            while self._running and not backoff.due():
                time.sleep(POLL)
            if not self._running:
                return
            try:
                self._source = self._opener()
            except StreamDeblurError as error:
                self._lost(error, backoff.failed())
                continue
            self._iterator = self._source.frames()
            self._say(f"{self.name} is back.")
            return
