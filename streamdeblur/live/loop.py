"""The live loop: shows the latest frame, restored within its time budget, in all sinks at a steady rate.

Frames pass Capture -> RestoreWorker -> LiveLoop -> SinkWorkers, each in a thread of its own, with a `LatestFrameSlot` between
two threads: a frame that is not taken in time is replaced by the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from streamdeblur.errors import OutputError
from streamdeblur.faces.chosen import missing_faces
from streamdeblur.live.adaptation import Pace
from streamdeblur.live.capture import Capture, CapturedFrame
from streamdeblur.live.options import PREVIEW, LiveOptions
from streamdeblur.live.plan import BUDGET_SHARE
from streamdeblur.live.restore_worker import RestoreWorker
from streamdeblur.live.restorer import Restorer
from streamdeblur.live.sink_worker import OutputFrame, SinkWorker
from streamdeblur.live.sinks import sink_openers
from streamdeblur.live.sources import LiveSource, open_live_source
from streamdeblur.live.status_frame import status_frame
from streamdeblur.live.summary import LivePlan, LiveSummary
from streamdeblur.live.timing import TICKS, Latencies, PlayoutDelay
from streamdeblur.live.unrestored import MOST_SHARE, UnrestoredFaces, restored_share, share_unrestored
from streamdeblur.live.unused import may_be_requested, unused_settings
from streamdeblur.live.view import Preview, overlay_lines
from streamdeblur.live.warning_log import WarningLog
from streamdeblur.video.copying import reference_to
from streamdeblur.video.source import shown_source
from streamdeblur.video.stdin import STDOUT
from streamdeblur.weights import AUTO, automatic_names

if TYPE_CHECKING:
    import av

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 1.0
"""Time without a frame after which a status message is shown."""
STATUS_SECONDS = 0.2
"""Interval of the frames with the status message."""
POLL_SECONDS = 0.02
"""Interval at which keys and clocks are checked while no frame arrives."""
SPARE_MS = 10
"""Milliseconds that the budget to advise leaves beside what one face and the rest of its frame take."""


class LiveLoop:
    """A live stream, from its source to its sinks.

    Attributes:
        capture: Reads the source.
        restorer: Restores the faces; its strength and its pause may be changed while the loop runs.
        preview: The preview window, if there is one.
        latencies: Time from the capture of a frame until the first sink has written it.
        unrestored: Whether too many faces are left unrestored for lack of time.
    """

    def __init__(
        self,
        options: LiveOptions,
        *,
        source_opener: Callable[[LiveOptions], LiveSource] = open_live_source,
        restorer: Restorer | None = None,
        preview: Preview | None = None,
    ) -> None:
        """Open the source, the engine, and the preview; the sinks are opened by `run`.

        Args:
            options: Settings of the stream.
            source_opener: Opens the source, now and after each failure.
            restorer: Restores the faces; by default one with the settings of `options`.
            preview: A window that is open already.

        Raises:
            StreamDeblurError: Something cannot be opened; the message states what and why.
        """
        self.options = options
        openers = sink_openers(options)
        self._warnings = WarningLog()
        self._open(source_opener, restorer, preview)
        realtime = self.capture.realtime
        for warning in unused_settings(options, realtime=realtime):
            self._warnings.add(warning)
        pace = Pace(self.capture.interval.seconds, options.budget / 1000 if options.budget else None)
        self._default_budget = pace.budget or BUDGET_SHARE * pace.interval
        # what fails here is opened again while the stream runs
        self.restorer.keep_up(pace if realtime else None)
        self.restore_worker = RestoreWorker(
            self.capture.frames,
            self.restorer,
            realtime=realtime,
            split=options.view == "split",
            show_faces=options.show_faces,
        )
        # Frames and latencies are counted at the first sink.
        self.sink_workers = [
            SinkWorker(
                "stdout" if name == STDOUT else shown_source(name),
                opener,
                None if number else self._count_written,
                self._warn_of_sink,
                blocking=not realtime,
                alone=len(openers) == 1,
            )
            for number, (name, opener) in enumerate(openers.items())
        ]
        self.latencies = Latencies()
        self._delay = PlayoutDelay()
        self._written = 0
        self._started, self._ended = time.monotonic(), 0.0
        self.unrestored = UnrestoredFaces(self._started)
        self._running = False
        self._last_stamp = -1

    def _open(
        self, source_opener: Callable[[LiveOptions], LiveSource], restorer: Restorer | None, preview: Preview | None
    ) -> None:
        """Open the source, the restorer and the preview; where one cannot be opened, those before it are closed."""
        options = self.options
        with ExitStack() as cleanup:
            self.capture = Capture(lambda: source_opener(options), self._warnings.add)
            cleanup.callback(self.capture.stop)
            self.restorer = restorer or Restorer(options.restoration, on_warning=self._warnings.add)
            cleanup.callback(self.restorer.close)
            self.restorer.warm_up(self.capture.first.width, self.capture.first.height)
            self.preview = (preview or Preview()) if PREVIEW in options.to else None
            cleanup.pop_all()

    def __repr__(self) -> str:
        return f"LiveLoop({self.capture!r}, {self.restorer!r}, to={self.options.to})"

    @property
    def budget(self) -> float:
        """Seconds that a frame may take from its capture until it is restored, by the present plan."""
        return self.restorer.adaptation.limit if self.restorer.adaptation else self._default_budget

    @property
    def split(self) -> bool:
        """Whether the left half of each frame stays as it was; may be changed while the loop runs."""
        return self.restore_worker.split

    @split.setter
    def split(self, value: bool) -> None:
        self.restore_worker.split = value

    @property
    def reader_ended(self) -> bool:
        """Whether the program that read stdout has ended, and there was no other sink: a stream has no other end in a pipe."""
        return set(self.options.to) == {STDOUT} and any(worker.without_reader for worker in self.sink_workers)

    def run(self, on_tick: Callable[[LiveLoop], object] | None = None) -> LiveSummary:
        """Run until the source ends, all sinks are lost, the preview is closed, or `stop` is called.

        Args:
            on_tick: Called about 50 times per second.

        Returns:
            The statistics of the stream.

        Raises:
            OutputError: A sink cannot be opened; or it was lost for good or could not be completed, which is raised at the end.
            OptionError: An encoder cannot be used.
        """
        self._started, self._running = time.monotonic(), True
        try:
            for worker in self.sink_workers:
                worker.open(self.capture.first, self.capture.rate, self.capture.tags)
            self._started = time.monotonic()
            self.capture.start()
            self.restore_worker.start()
            self._show_frames(on_tick)
        finally:
            self._running, self._ended = False, time.monotonic()
            self.capture.stop()
            self.restore_worker.stop()
            self._close()
        self._warn_at_the_end()
        if self.restore_worker.error:
            raise self.restore_worker.error
        summary = self.summary()
        if summary.lost:
            raise OutputError(" ".join(summary.lost))
        return summary

    def stop(self) -> None:
        """End the loop after the current frame."""
        self._running = False

    def summary(self) -> LiveSummary:
        """Return the statistics so far."""
        faces, seconds = self.restorer.statistics, (self._ended or time.monotonic()) - self._started
        stale = self.capture.frames.dropped + self.restore_worker.frames.dropped
        return LiveSummary(
            frames=self._written,
            fps=round(self._written / max(seconds, 1e-9), 2),
            dropped=stale + sum(worker.dropped for worker in self.sink_workers),
            passed_through=faces.passed_through,
            left_out=self.restore_worker.left_out,
            restored=faces.restored,
            restored_share=restored_share(faces),
            restored_by_size=faces.restored_by_size,
            skipped_sharp=faces.skipped_sharp,
            not_chosen=faces.not_chosen,
            expected_gain=faces.expected_gain,
            failed=faces.failed,
            latency_ms=self.latencies.milliseconds(),
            seconds=round(seconds, 1),
            engine=self.restorer.description,
            plan=LivePlan.of(self.restorer.adaptation) if self.restorer.adaptation else None,
            warnings=list(self._warnings.messages),
            lost=[] if self.reader_ended else [worker.problem for worker in self.sink_workers if worker.problem],
        )

    def _close(self) -> None:
        """Close everything, even if closing a part of it fails: first the sinks in order, last the engine, which may hang."""
        for worker in self.sink_workers:
            # so that none waits for another one
            worker.end()
        with ExitStack() as closing:
            closing.callback(self.restorer.close)
            if self.preview:
                closing.callback(self.preview.close)
            for worker in reversed(self.sink_workers):
                closing.callback(worker.close)

    def _show_frames(self, on_tick: Callable[[LiveLoop], object] | None) -> None:
        next_status = time.monotonic() + SILENCE_SECONDS
        while self._running and not self.restore_worker.frames.ended:
            restored = self.restore_worker.frames.take(POLL_SECONDS)
            if restored is not None:
                self._show(restored)
                next_status = time.monotonic() + SILENCE_SECONDS
            elif time.monotonic() > next_status and not self.restore_worker.frames.ended:
                self._show_status()
                next_status = time.monotonic() + STATUS_SECONDS
            for worker in self.sink_workers:
                worker.watch()
            if on_tick:
                on_tick(self)
            if self._nobody_watches():
                self.stop()

    def _nobody_watches(self) -> bool:
        if self.preview:
            return not self.preview.open
        return bool(self.sink_workers) and all(worker.lost for worker in self.sink_workers)

    def _show(self, restored: CapturedFrame) -> None:
        frame, captured_at = restored.frame, restored.captured_at
        seconds = captured_at - self._started
        if self.capture.realtime:
            self.restorer.frames_come(self.capture.interval.seconds)
            self._delay.update(time.monotonic() - captured_at, longest=self.budget)
            time.sleep(max(0.0, captured_at + self._delay.seconds - time.monotonic()))
        elif frame.time is not None:
            # A file that is not played in real time keeps its own time stamps.
            seconds = frame.time
        self._output(OutputFrame(self._stamped(frame, seconds), captured_at))
        if self.unrestored.update(self.restorer.statistics, time.monotonic()):
            self._tell_of_unrestored()

    def _show_status(self) -> None:
        waiting_for = self.restorer.description if self.capture.frames.full else self.capture.name
        frame = status_frame(self.capture.problem or f"Waiting for {waiting_for}", self.capture.first)
        now = time.monotonic()
        self._output(OutputFrame(self._stamped(frame, now - self._started), now, is_status=True))

    def _output(self, output: OutputFrame) -> None:
        for worker in self.sink_workers:
            if worker.continuous or not output.is_status:
                # each thread has a frame of its own
                worker.put(replace(output, frame=reference_to(output.frame)))
        if self.preview:
            self.preview.show(output.frame, self._overlay() if self.options.overlay else [])
            if not self.sink_workers:
                self._count_written(output)

    def _overlay(self) -> list[str]:
        unrestored = self.unrestored.share if self.unrestored.too_many else None
        return overlay_lines(self.capture.description, self.summary(), unrestored, self.restorer.expected_gains)

    def _stamped(self, frame: av.VideoFrame, seconds: float) -> av.VideoFrame:
        """The frame with its time in the stream as its time stamp, which is larger than that of the frame before it."""
        self._last_stamp = max(self._last_stamp + 1, round(seconds * TICKS))
        frame.pts, frame.time_base = self._last_stamp, Fraction(1, TICKS)
        # The decoder sets the picture type, which an encoder would take as an order.
        frame.pict_type = 0
        return frame

    def _count_written(self, output: OutputFrame) -> None:
        if not output.is_status:
            self._written += 1
            self.latencies.add(time.monotonic() - output.captured_at)

    def _warn_of_sink(self, message: str) -> None:
        """Warn of a sink that failed, unless the stream ends with it, and tells why."""
        if set(self.options.to) != {STDOUT}:
            self._warnings.add(message)

    def _tell_of_unrestored(self) -> None:
        if self.unrestored.too_many:
            self._warnings.add(self._advice(self.unrestored.share))
        else:
            logger.info("The faces are restored in time again.")

    def _warn_at_the_end(self) -> None:
        """Warn of faces that were named and not there, and of a stream that was too slow, if it was too short for a judgement."""
        for warning in missing_faces(self.options.restoration.only, self.restorer.statistics):
            self._warnings.add(warning)
        share = share_unrestored(self.restorer.statistics)
        if share > MOST_SHARE and not self.unrestored.too_many:
            self._warnings.add(self._advice(share))

    def _advice(self, share: float) -> str:
        per_face, budget = 1000 * self.restorer.seconds_per_face, 1000 * self.budget
        figures = f": a face takes {per_face:.0f} ms, and a frame may take {budget:.0f} ms" if per_face else ""
        needed = per_face + 1000 * self.restorer.rest_seconds
        larger = f"--budget {needed + SPARE_MS:.0f}" if needed > budget else "a larger --budget"
        # a network of the user's own is not replaced, and there is none that is faster than the last one
        named = "network" in self.options.restoration.model_fields_set
        replaceable = named and str(self.options.restoration.network) in automatic_names()[:-1]
        network = [f"--network {AUTO}"] if replaceable else []
        requested = ["a smaller --size", "a lower --fps"] if may_be_requested(self.options.source) else []
        choices = ", ".join([*network, *requested, larger])
        return (
            f"{share:.0%} of the blurred faces pass unrestored, for lack of time{figures}. Choose {choices}, or show fewer faces."
        )
