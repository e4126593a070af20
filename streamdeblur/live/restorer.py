"""Restorer: deblurs frames until a deadline, and passes them through while the engine is broken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamdeblur.deblurrer import FaceDeblurrer
from streamdeblur.live.timing import Backoff
from streamdeblur.options import RestorationOptions
from streamdeblur.speeds import real_time_options
from streamdeblur.statistics import RestorationStatistics

if TYPE_CHECKING:
    import av

logger = logging.getLogger(__name__)

DeblurrerOpener = Callable[[RestorationOptions], FaceDeblurrer]


class Restorer:
    """A `FaceDeblurrer` that is replaced by a new one, opened in the background, after its engine or detector failed.

    Attributes:
        strength: Strength of the restoration, 0 to 1; may be changed at any time.
        paused: Whether frames are passed through unrestored; may be changed at any time.
    """

    def __init__(
        self,
        options: RestorationOptions,
        opener: DeblurrerOpener = FaceDeblurrer,
        on_warning: Callable[[str], object] = logger.warning,
    ) -> None:
        """Open the deblurrer.

        Args:
            options: Settings of the restoration; without a network, that for real time is taken.
            opener: Opens a deblurrer with these settings, now and after each failure.
            on_warning: Called with a message for the user when the engine or the detector fails.

        Raises:
            OptionError, NetworkError, EngineError, DetectorError: A setting cannot be used here; the message states why.
        """
        options = real_time_options(options)
        self._options, self._opener, self._warn = options, opener, on_warning
        self._deblurrer: FaceDeblurrer | None = _opened(opener, options)
        self._closed = False
        self._earlier_statistics = RestorationStatistics()
        self._backoff = Backoff()
        self._opening: threading.Thread | None = None
        self._size = 0, 0
        self.strength = options.strength
        self.paused = False
        self._was_paused = False

    def __repr__(self) -> str:
        return f"Restorer({self.description}, strength={self.strength:g}, paused={self.paused})"

    @property
    def description(self) -> str:
        """Names of the engine and the detector."""
        deblurrer = self._deblurrer
        return f"{deblurrer.engine.name}, {deblurrer.detector.name}" if deblurrer else "no engine"

    @property
    def statistics(self) -> RestorationStatistics:
        """Counts since the start, including those of engines that failed."""
        current = self._deblurrer.statistics if self._deblurrer else RestorationStatistics()
        return self._earlier_statistics + current

    @property
    def seconds_per_face(self) -> float:
        """Expected time for one face; 0 while there is no engine."""
        return self._deblurrer.scheduler.seconds_per_face if self._deblurrer else 0.0

    def edit(self, frame: av.VideoFrame, deadline: float | None) -> None:
        """Deblur a frame in place; a frame that cannot be restored stays as it is.

        Args:
            frame: The next frame of the stream.
            deadline: Time (`time.monotonic`) by which the frame has to be finished; None for no limit.
        """
        deblurrer = self._deblurrer
        if deblurrer is None:
            self._reopen()
            return
        if self.paused:
            self._was_paused = True
            return
        self._size = frame.width, frame.height
        with self._replaced_on_failure(deblurrer):
            if self._was_paused:
                # what was seen before says nothing about where the faces are now, nor about how they look
                deblurrer.reset(keep_statistics=True)
                self._was_paused = False
            deblurrer.edit(frame, deadline=deadline, strength=self.strength)
            self._backoff.succeeded()

    def catch_up(self) -> None:
        """Do work that `edit` deferred for a deadline, such as the search for new faces; call it after the frame is passed on."""
        deblurrer = self._deblurrer
        if deblurrer is not None:
            with self._replaced_on_failure(deblurrer):
                deblurrer.catch_up()

    def warm_up(self, width: int, height: int) -> None:
        """Compile what frames of this size need, so that the first one is not late."""
        if self._deblurrer is not None:
            self._deblurrer.warm_up(width, height)

    @contextmanager
    def _replaced_on_failure(self, deblurrer: FaceDeblurrer) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Guards the stream against the runtimes of detector and network (OpenVINO, ONNX Runtime, CUDA), which raise errors
            # of their own types and bare RuntimeErrors. Whatever it is, the stream continues with unrestored faces.
            self._discard(deblurrer, error)

    def _discard(self, deblurrer: FaceDeblurrer, error: Exception) -> None:
        self._earlier_statistics = self.statistics
        self._deblurrer = None
        pause = self._backoff.failed()
        # The text only: a log record with the exception would keep its traceback, and with it the engine, in memory.
        self._warn(f"{error} Faces are passed through unrestored. Opening a new engine in {pause:g} s.")
        threading.Thread(target=_close_quietly, args=[deblurrer], daemon=True).start()

    def _reopen(self) -> None:
        if self._opening is None and self._backoff.due():
            self._opening = threading.Thread(target=self._open, name="engine", daemon=True)
            self._opening.start()

    def _open(self) -> None:
        try:
            deblurrer = _opened(self._opener, self._options)
            deblurrer.warm_up(*self._size)
            self._deblurrer = deblurrer
            if self._closed:
                self.close()
                return
            logger.info("The new engine is running: %s.", self.description)
        except Exception as error:
            # Guards the thread against the runtimes, as above: warming up runs detector and network. The user has been warned
            # already, and the next attempt follows.
            self._backoff.failed()
            logger.debug("Opening a new engine: %s", str(error))
        finally:
            self._opening = None

    def reset(self) -> None:
        """Forget the tracked faces, for example because the frame size changed; the statistics are kept."""
        if self._deblurrer is not None:
            self._deblurrer.reset(keep_statistics=True)

    def restart(self) -> None:
        """Prepare for another stream: forget the tracked faces, the statistics, and the strength and pause that were set."""
        self._earlier_statistics = RestorationStatistics()
        self.strength, self.paused = self._options.strength, False
        if self._deblurrer is not None:
            self._deblurrer.reset()

    def close(self) -> None:
        """Close the engine, and the one that is being opened."""
        self._closed = True
        if self._deblurrer is not None:
            _close_quietly(self._deblurrer)


def _opened(opener: DeblurrerOpener, options: RestorationOptions) -> FaceDeblurrer:
    """A deblurrer that has opened what any face may need, so that none of them is late."""
    deblurrer = opener(options)
    try:
        deblurrer.engine.warm_up()
    except BaseException:
        # the engine may hold a GPU: it is freed whatever ends the opening, interrupts included
        _close_quietly(deblurrer)
        raise
    return deblurrer


def _close_quietly(deblurrer: FaceDeblurrer) -> None:
    try:
        deblurrer.close()
    except Exception as error:
        # Guards against the runtimes again: closing a broken device may raise anything, and there is nothing left to lose.
        logger.debug("Closing %s: %s", deblurrer.engine.name, str(error))
