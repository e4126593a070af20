"""The live loop: the newest frame, deblurred within its budget, to all sinks at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from streamdeblur.live.capture import Capture, Captured
from streamdeblur.live.latest_frame import Mailbox
from streamdeblur.live.notice import notice
from streamdeblur.live.options import LiveOptions
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.sink_worker import Outlet, Shown
from streamdeblur.live.sinks import PREVIEW, sink_opener
from streamdeblur.live.sources import Source, open_live_source
from streamdeblur.live.summary import LiveSummary
from streamdeblur.live.timing import TICKS, Latencies, SteadyDelay
from streamdeblur.live.view import Preview, split_view
from streamdeblur.video.copying import copy_frame

if TYPE_CHECKING:
    import av

SILENCE = 1.0
"""Seconds without a frame after which the picture says so."""
TICK = 0.02
"""Seconds between two looks at keys and clocks while no frame comes."""
SHARE_OF_INTERVAL = 0.85
"""Of the time between two frames that one may take by default: the rest is for pasting and showing."""


@dataclass(frozen=True, eq=False)
class _Restored:
    captured: Captured
    original: Any
    """The frame as it came, where it is wanted for a split view."""


class LiveLoop:
    """Runs until the source ends, `stop` is called, or the user quits."""

    def __init__(
        self,
        options: LiveOptions,
        say: Callable[[str], object],
        *,
        source_opener: Callable[[LiveOptions], Source] = open_live_source,
        restorer: Restorer | None = None,
    ) -> None:
        """Open everything.

        Raises:
            StreamDeblurError: something cannot be opened; the message says what and why.
        """
        self.options, self._say = options, say
        openers = {name: sink_opener(name, options) for name in options.to if name != PREVIEW}
        self.capture = Capture(lambda: source_opener(options), say)
        try:
            self.restorer = restorer or Restorer(options.restoration, say)
            self.restorer.warm_up(self.capture.first.width, self.capture.first.height)
        except BaseException:
            self.capture.stop()
            raise
        # (latency is that of the first sink)
        self.outlets = [
            Outlet(name, opener, say, (lambda _: None) if number else self._written, patient=not self.capture.paced)
            for number, (name, opener) in enumerate(openers.items())
        ]
        self.preview = Preview(options) if PREVIEW in options.to else None
        self.split = options.view == "split"
        self.latencies = Latencies()
        interval = 1.0 / float(self.capture.rate)
        self.budget = options.budget / 1000 if options.budget else SHARE_OF_INTERVAL * interval
        self._delay = SteadyDelay(self.budget)
        self._paced = self.capture.paced
        self._ready = Mailbox[_Restored](patient=not self._paced)
        self._shown = 0
        self._began = time.monotonic()
        self._running = False
        self._size: tuple[int, int] | None = None
        self._warned = False
        self._stamp = -1
        self._ended: float | None = None
        self._problem: BaseException | None = None

    def run(self, on_tick: Callable[[LiveLoop], object] | None = None) -> LiveSummary:
        """Run; `on_tick` is called about 50 times a second, and may `stop`.

        Raises:
            StreamDeblurError: a sink cannot be opened, or what was written cannot be finished.
        """
        self._began, self._running = time.monotonic(), True
        worker = threading.Thread(target=self._restore, name="restore", daemon=True)
        try:
            for outlet in self.outlets:
                outlet.open(self.capture.first, self.capture.rate)
            self._began = time.monotonic()
            self.capture.start()
            worker.start()
            self._show_all(on_tick)
        finally:
            self._running, self._ended = False, time.monotonic()
            self.capture.stop()
            self._ready.close()
            if worker.ident is not None:
                worker.join(timeout=5.0)
            self._close()
        if self._problem:
            raise self._problem
        return self.summary()

    def stop(self) -> None:
        """End after this frame."""
        self._running = False

    def summary(self) -> LiveSummary:
        """Counts so far."""
        statistics, seconds = self.restorer.statistics, (self._ended or time.monotonic()) - self._began
        dropped = self.capture.frames.dropped + self._ready.dropped + sum(outlet.dropped for outlet in self.outlets)
        return LiveSummary(
            self._shown, round(self._shown / max(seconds, 1e-9), 2), dropped, statistics.passed_through, statistics.restored,
            statistics.skipped_sharp, statistics.failed, self.latencies.milliseconds(), round(seconds, 1),
            self.restorer.description,
        )  # fmt: skip

    def _close(self) -> None:
        problem: Exception | None = None
        for outlet in self.outlets:
            try:
                outlet.close()
            except Exception as error:
                # each is finished, whatever became of the others
                problem = error
        if self.preview:
            self.preview.close()
        # (last: a device that hangs may keep it, and nothing is lost with it)
        self.restorer.close()
        if problem:
            raise problem

    # In the thread "restore"

    def _restore(self) -> None:
        try:
            while (captured := self.capture.frames.take(TICK)) is not None or not self.capture.frames.ended:
                if captured is None:
                    continue
                if not self._ready.put(self._restored(captured)):
                    break
                self.restorer.catch_up()
        except BaseException as error:
            # (for the thread that called `run`)
            self._problem = error
        finally:
            self._ready.close()

    def _restored(self, captured: Captured) -> _Restored:
        frame = captured.frame
        if self._size != (frame.width, frame.height):
            self._size = frame.width, frame.height
            self.restorer.reset()
        original = copy_frame(frame) if self.split else None
        self.restorer.edit(frame, captured.at + self.budget if self._paced else None)
        return _Restored(captured, original)

    # In the thread that called `run`

    def _show_all(self, on_tick: Callable[[LiveLoop], object] | None) -> None:
        newest = time.monotonic()
        while self._running and not self._ready.ended:
            ready = self._ready.take(TICK)
            if ready is not None:
                self._show(ready)
                newest = time.monotonic()
            elif time.monotonic() - newest > SILENCE and not self._ready.ended:
                self._show_notice()
                newest = time.monotonic() - SILENCE + 0.2
            if on_tick:
                on_tick(self)
            if self.preview and not self.preview.open:
                self.stop()
            if self.outlets and all(outlet.gone for outlet in self.outlets) and not self.preview:
                self.stop()

    def _show(self, ready: _Restored) -> None:
        captured = ready.captured
        if self._paced:
            self._delay.learn(time.monotonic() - captured.at)
            time.sleep(max(0.0, captured.at + self._delay.seconds - time.monotonic()))
        frame = split_view(ready.original, captured.frame) if ready.original is not None else captured.frame
        # a file that need not hurry keeps its own times
        own = None if self._paced else captured.frame.time
        self._emit(Shown(self._stamped(frame, captured.at - self._began if own is None else own), captured.at))
        self._warn_if_too_slow()

    def _emit(self, shown: Shown) -> None:
        for outlet in self.outlets:
            if shown.restored or outlet.steady:
                outlet.put(shown)
        if self.preview:
            self.preview.show(shown.frame, self.summary() if self.options.overlay else None)
            if not self.outlets:
                self._written(shown)

    def _show_notice(self) -> None:
        late = self.restorer.description if self.capture.frames.full else self.capture.name
        now = time.monotonic()
        said = notice(self.capture.trouble or f"Waiting for {late}", self.capture.first)
        self._emit(Shown(self._stamped(said, now - self._began), now, restored=False))

    def _stamped(self, frame: av.VideoFrame, moment: float) -> av.VideoFrame:
        """The frame with its time in the stream, in seconds, later than that of the frame before it."""
        self._stamp = max(self._stamp + 1, round(moment * TICKS))
        frame.pts, frame.time_base = self._stamp, Fraction(1, TICKS)
        # (a decoder leaves its own type of picture, which an encoder would take for an order)
        frame.pict_type = 0
        return frame

    def _written(self, shown: Shown) -> None:
        if shown.restored:
            self._shown += 1
            self.latencies.add(time.monotonic() - shown.captured)

    def _warn_if_too_slow(self) -> None:
        expected = self.restorer.seconds_per_face
        if self._paced and not self._warned and self._shown > 60 and expected > self.budget:
            self._warned = True
            self._say(
                f"Warning: a face takes {1000 * expected:.0f} ms here, a frame may take {1000 * self.budget:.0f}: faces pass as "
                f"they are. Give --budget {1000 * expected + 10:.0f}, or a lower --fps."
            )
