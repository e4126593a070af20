"""Restorer: deblurs frame after frame until a deadline, and lets them pass while the engine is broken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamdeblur.deblurrer import FaceDeblurrer, Statistics
from streamdeblur.live.timing import Backoff
from streamdeblur.options import RestorationOptions

if TYPE_CHECKING:
    import av

logger = logging.getLogger(__name__)

DeblurrerOpener = Callable[[RestorationOptions], FaceDeblurrer]


class Restorer:
    """A `FaceDeblurrer` that is opened again, in the background, after its engine failed."""

    def __init__(
        self, options: RestorationOptions, say: Callable[[str], object], opener: DeblurrerOpener = FaceDeblurrer
    ) -> None:
        """
        Raises:
            OptionError, NetworkError, EngineError, DetectorError: it cannot be opened here.
        """
        self._options, self._say, self._opener = options, say, opener
        self._deblurrer: FaceDeblurrer | None = opener(options)
        self._closed = False
        self._past = Statistics()
        self._backoff = Backoff()
        self._opening: threading.Thread | None = None
        self._size = 0, 0
        self.strength = options.strength
        self.paused = False

    @property
    def description(self) -> str:
        """Engine and detector, for people."""
        deblurrer = self._deblurrer
        return f"{deblurrer.engine.name}, {deblurrer.detector.name}" if deblurrer else "no engine"

    @property
    def statistics(self) -> Statistics:
        """Counts since the beginning, those of engines that failed among them."""
        now = self._deblurrer.statistics if self._deblurrer else Statistics()
        return Statistics(*(a + b for a, b in zip(vars(self._past).values(), vars(now).values(), strict=True)))

    @property
    def seconds_per_face(self) -> float:
        """What a face is expected to take."""
        return self._deblurrer.budget.seconds_per_face if self._deblurrer else 0.0

    def edit(self, frame: av.VideoFrame, deadline: float | None) -> None:
        """Deblur a frame in place, until the deadline (`time.monotonic`). Where that fails, the frame passes as it is."""
        deblurrer = self._deblurrer
        if deblurrer is None:
            self._reopen()
            return
        if self.paused:
            return
        if deblurrer.options.strength != self.strength:
            deblurrer.options = deblurrer.options.changed(strength=self.strength)
        self._size = frame.width, frame.height
        try:
            deblurrer.edit(frame, deadline=deadline)
            self._backoff.succeeded()
        except Exception as error:
            # whatever the runtimes of detector and network raise: the stream goes on without them
            self._failed(deblurrer, error)

    def catch_up(self) -> None:
        """Do what could wait until the frame is on its way: look for new faces."""
        deblurrer = self._deblurrer
        if deblurrer is None:
            return
        try:
            deblurrer.catch_up()
        except Exception as error:
            # (as above)
            self._failed(deblurrer, error)

    def warm_up(self, width: int, height: int) -> None:
        """Compile what frames of this size need, so that the first one is not late."""
        if self._deblurrer is not None:
            self._deblurrer.warm_up(width, height)

    def _failed(self, deblurrer: FaceDeblurrer, error: Exception) -> None:
        self._past = self.statistics
        self._deblurrer = None
        pause = self._backoff.failed()
        self._say(f"Warning: {error} Faces pass as they are; trying again in {pause:g} s.")
        threading.Thread(target=_close_quietly, args=[deblurrer], daemon=True).start()

    def _reopen(self) -> None:
        if self._opening is None and self._backoff.due():
            self._opening = threading.Thread(target=self._open, name="engine", daemon=True)
            self._opening.start()

    def _open(self) -> None:
        try:
            deblurrer = self._opener(self._options.changed(strength=self.strength))
            deblurrer.warm_up(*self._size)
            self._deblurrer = deblurrer
            if self._closed:
                self.close()
                return
            self._say("The engine works again.")
        except Exception:
            # (it was said already that it does not work)
            self._backoff.failed()
        finally:
            self._opening = None

    def reset(self) -> None:
        """Forget the faces so far: the picture changed."""
        if self._deblurrer is not None:
            self._past = self.statistics
            self._deblurrer.reset()

    def close(self) -> None:
        """Free the engine, and the one that is being opened."""
        self._closed = True
        if self._deblurrer is not None:
            _close_quietly(self._deblurrer)


def _close_quietly(deblurrer: FaceDeblurrer) -> None:
    try:
        deblurrer.close()
    except Exception as error:
        # whatever a broken device raises: nothing can be lost with it any more
        logger.debug("Closing %s: %s", deblurrer.engine.name, error)
