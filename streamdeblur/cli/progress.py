"""Progress of a command: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from streamdeblur.jobs.video import Progress
    from streamdeblur.training.datasets.dataset_assembly import AssemblyStep

logger = logging.getLogger(__name__)

PLAIN_INTERVAL = 5.0
"""Seconds between two lines of progress where stderr is not a terminal."""


class ProgressLine:
    """Shows how much of some work is done; nothing if `quiet`."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name, self._quiet = name, quiet
        self._bar: Bar | None = None
        self._shown = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._done = 0

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bar = open_bar()
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None, count="", text="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show_frames(self, progress: Progress) -> None:
        """Show the progress of a video: what `deblur_video` takes as `on_progress`."""
        text = f"frames, {progress.fps:.1f} fps, {progress.restored} faces restored"
        self.show(progress.frames, progress.total_frames, text)

    def show_step(self, step: AssemblyStep) -> None:
        """Show the progress of a data set: what its functions take as `on_progress`."""
        self.show(step.done, step.total, step.title)

    def show(self, done: int, total: int | None, text: str) -> None:
        """Show the progress.

        Args:
            done: Finished steps, or frames.
            total: All steps; None if unknown.
            text: What was finished last, what is counted, or how fast it goes.
        """
        now = time.monotonic()
        if self._first is None or done < self._done:
            # the beginning, or that of another phase: what it took to begin says nothing of the rest
            self._first = now, done
        self._done = done
        if total is not None and done > total:
            # the file has more than it declares
            total = None
        count = f"{done}/{total or '?'}"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, count=count, text=text)
        elif not self._quiet and now - self._shown >= PLAIN_INTERVAL:
            self._shown = now
            logger.info("%s: %s %s%s", self._name, count, text, self._left(now, done, total))

    def _left(self, now: float, done: int, total: int | None) -> str:
        """How long the rest takes at the pace since the first report."""
        began, first = self._first or (now, done)
        return f", ETA {(now - began) * (total - done) / (done - first):.0f} s" if total and done > first else ""


def open_bar() -> Bar:
    """Return a display of bars on stderr, each with its `count` and `text`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        # a name may hold what looks like the markup of rich
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]} {task.fields[text]}, ETA", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
