"""Restorer: deblurs frames within the time that there is, and passes them through while the engine is broken."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamdeblur.deblurrer import NO_LIMITS, FaceDeblurrer
from streamdeblur.faces.decision import FaceDecision
from streamdeblur.live.adaptation import Adaptation, Pace
from streamdeblur.live.network_switch import NetworkSwitch
from streamdeblur.live.timing import Backoff
from streamdeblur.options import RestorationOptions
from streamdeblur.speeds import real_time_options, seconds_by_size, seconds_of_networks
from streamdeblur.statistics import RestorationStatistics
from streamdeblur.weights import AUTO

if TYPE_CHECKING:
    import av

logger = logging.getLogger(__name__)

DeblurrerOpener = Callable[[RestorationOptions], FaceDeblurrer]


class Restorer:
    """A `FaceDeblurrer` that is replaced by a new one, opened in the background, after its engine or detector failed.

    With a pace (`keep_up`), what is restored is adapted to the time that there is.

    Attributes:
        adaptation: What is restored in the time that there is; None before `keep_up`, and where there is no limit.
        strength: Strength of the restoration, 0 to 1; may be changed at any time.
        decisions: What was done with each face of the last frame, and why; none where it passed through.
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
        self._chosen_here = str(options.in_real_time().network) == AUTO
        options = real_time_options(options)
        self._options, self._opener, self._warn = options, opener, on_warning
        self.adaptation: Adaptation | None = None
        self._pace: Pace | None = None
        self._seconds: dict[tuple[str, int], float] = {}
        self._switch = NetworkSwitch(options.engine, options.cores, options.device)
        self._caught_up_at = self._caught_up_for = 0.0
        self._deblurrer: FaceDeblurrer | None = _opened(opener, options)
        self._closed = False
        self._earlier_statistics = RestorationStatistics()
        self._backoff = Backoff()
        self._opening: threading.Thread | None = None
        self._size = 0, 0
        self.strength = options.strength
        self.paused = False
        self.decisions: list[FaceDecision] = []
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
    def expected_gains(self) -> list[float]:
        """What is expected of the restoration of each face of the last frame, in dB."""
        return [face.gain for face in self._deblurrer.judged_faces] if self._deblurrer else []

    @property
    def seconds_per_face(self) -> float:
        """Expected time for one face; 0 while there is no engine."""
        return self._deblurrer.scheduler.seconds_per_face if self._deblurrer else 0.0

    @property
    def rest_seconds(self) -> float:
        """Expected time of a frame beside its faces, as far as it is known."""
        return self.adaptation.costs.rest if self.adaptation else 0.0

    @property
    def every(self) -> int:
        """Every n-th frame is to be restored and shown, so that there is time for its faces."""
        return self.adaptation.plan.every if self.adaptation else 1

    @property
    def patience(self) -> float | None:
        """Seconds from its arrival by which a frame is finished; None without a pace."""
        return self.adaptation.patience if self.adaptation else None

    def keep_up(self, pace: Pace | None) -> None:
        """Begin to adapt what is restored to the time that a stream leaves; None restores everything."""
        self._pace, self.adaptation = pace, None
        deblurrer = self._deblurrer
        if pace is not None and deblurrer is not None:
            with self._replaced_on_failure(deblurrer):
                self._begin_to_adapt(deblurrer, pace)

    def frames_come(self, interval: float) -> None:
        """Go on at another pace, if the frames come at other intervals than before."""
        if self._pace is not None and self._pace.interval != interval:
            self._pace = replace(self._pace, interval=interval)
            if self.adaptation is not None:
                self.adaptation.pace = self._pace

    def _begin_to_adapt(self, deblurrer: FaceDeblurrer, pace: Pace) -> None:
        name = deblurrer.network.path.stem
        if not self._seconds:
            self._seconds = seconds_of_networks(self._options.engine, self._options.device) if self._chosen_here else {}
        if (name, deblurrer.network.crop_size) not in self._seconds:
            # a network that is no choice of ours, or an engine that is not measured beforehand
            self._seconds = {(name, size): time for size, time in seconds_by_size(deblurrer.engine).items()}
        pace = replace(pace, small_crops=self._options.small_crops)
        self.adaptation = Adaptation(pace, self._seconds, name, deblurrer.engine.parallel)

    def edit(self, frame: av.VideoFrame, deadline: float | None, arrived_at: float | None = None) -> None:
        """Deblur a frame in place; a frame that cannot be restored stays as it is.

        Args:
            frame: The next frame of the stream.
            deadline: Time (`time.monotonic`) by which the frame has to be finished; None for no limit.
            arrived_at: Time at which the frame arrived; by default now.
        """
        deblurrer, self.decisions = self._deblurrer, []
        # before anything else: a new engine is warmed up for it
        self._size = frame.width, frame.height
        if deblurrer is None:
            self._reopen()
            return
        if self.paused:
            self._was_paused = True
            return
        with self._replaced_on_failure(deblurrer):
            if self._was_paused:
                # what was seen before says nothing about where the faces are now, nor about how they look
                deblurrer.reset(keep_statistics=True)
                self._was_paused = False
            self._switch.complete(deblurrer)
            began = time.monotonic()
            limits = self.adaptation.limits if self.adaptation else NO_LIMITS
            deblurrer.edit(frame, deadline=deadline, strength=self.strength, limits=limits)
            self.decisions = deblurrer.decisions
            self._adapt(deblurrer, began, began if arrived_at is None else arrived_at)
            self._backoff.succeeded()

    def catch_up(self) -> None:
        """Do work that `edit` deferred for a deadline, such as the search for new faces; call it after the frame is passed on."""
        deblurrer = self._deblurrer
        if deblurrer is not None:
            with self._replaced_on_failure(deblurrer):
                began = time.monotonic()
                deblurrer.catch_up()
                self._caught_up_at = time.monotonic()
                self._caught_up_for = self._caught_up_at - began
                if self.adaptation is not None and self.adaptation.is_probe_due(self._caught_up_at):
                    self._probe(deblurrer, self.adaptation)

    def _adapt(self, deblurrer: FaceDeblurrer, began: float, arrived_at: float) -> None:
        """Measure the frame that was edited, and decide what is restored of the next ones."""
        adaptation, now = self.adaptation, time.monotonic()
        if adaptation is None:
            return
        # what the frame before left to do keeps this one waiting; a frame that waits since it came too early does not count
        waited = min(self._caught_up_for, max(0.0, self._caught_up_at - arrived_at))
        adaptation.exchanged(deblurrer.network.path.stem)
        if self._switch.opening:
            # it takes the cores for a second: what frames cost meanwhile says nothing about the plan
            return
        adaptation.add(deblurrer.work, deblurrer.wanted, waited + now - began - deblurrer.work.seconds)
        if adaptation.decide(now):
            # fewer frames are seen by everybody; of faces that are left out, those are told who have them
            (self._warn if adaptation.plan.every > 1 else logger.info)(adaptation.description)
        if adaptation.plan.network != deblurrer.network.path.stem:
            self._switch.begin(adaptation.plan.network, adaptation.exclude)

    @staticmethod
    def _probe(deblurrer: FaceDeblurrer, adaptation: Adaptation) -> None:
        """Measure a face that nobody sees, because none is restored."""
        size = min(deblurrer.engine.crop_sizes)
        began = time.monotonic()
        deblurrer.engine.infer(np.full((1, size, size, 3), 128, np.uint8))
        adaptation.add_load([size], time.monotonic() - began)

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
            with _closed_on_failure(deblurrer):
                deblurrer.warm_up(*self._size)
                if self._pace is not None and self.adaptation is None:
                    self._begin_to_adapt(deblurrer, self._pace)
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
        self._pace = self.adaptation = None
        self.strength, self.paused = self._options.strength, False
        if self._deblurrer is not None:
            self._deblurrer.reset()

    def close(self) -> None:
        """Close the engine, and the one that is being opened."""
        self._closed = True
        self._switch.close()
        if self._deblurrer is not None:
            _close_quietly(self._deblurrer)


def _opened(opener: DeblurrerOpener, options: RestorationOptions) -> FaceDeblurrer:
    """A deblurrer that has opened what any face may need, so that none of them is late."""
    deblurrer = opener(options)
    with _closed_on_failure(deblurrer):
        deblurrer.engine.warm_up()
    return deblurrer


@contextmanager
def _closed_on_failure(deblurrer: FaceDeblurrer) -> Iterator[None]:
    """Close a deblurrer that is being prepared if that fails."""
    try:
        yield
    except BaseException:
        # the engine may hold a GPU: it is freed whatever ends the preparation, interrupts included
        _close_quietly(deblurrer)
        raise


def _close_quietly(deblurrer: FaceDeblurrer) -> None:
    try:
        deblurrer.close()
    except Exception as error:
        # Guards against the runtimes again: closing a broken device may raise anything, and there is nothing left to lose.
        logger.debug("Closing %s: %s", deblurrer.engine.name, str(error))
