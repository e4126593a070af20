"""Progress of a batch: one line for all files, and on a terminal one for each task that a worker is doing."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from streamdeblur.cli.progress import PLAIN_INTERVAL, open_bar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from streamdeblur.archive.plan import File
    from streamdeblur.archive.tasks import Task, TaskProgress

logger = logging.getLogger(__name__)

FEWEST_FRAMES = 20
"""Frames from which on the time that is left is estimated."""


class BatchProgress:
    """Shows how far a batch is: files, frames, the time that is left, and failures; nothing if `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Bar | None = None
        self._lines: dict[str, TaskID] = {}
        self._files = self._complete = self._failures = 0
        self._expected = self._done = 0
        self._running: dict[str, int] = {}
        self._first: float | None = None
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def plan(self, files: Sequence[File], undone: Sequence[File]) -> Self:
        """Take files of the batch, and those that are not complete."""
        self._files += len(files)
        self._complete += len(files) - len(undone)
        self._expected += sum(task.frames or 0 for file in undone for task in file.tasks)
        if self._bar is None and not self._quiet and sys.stderr.isatty():
            self._bar = open_bar()
            self._bar.start()
            self._all = self._bar.add_task("all", total=self._expected or None, count="", text="")
        return self

    def begin(self, task: Task) -> None:
        self._running[task.name] = 0
        if self._bar is not None:
            text = "joining" if task.kind == "join" else ""
            self._lines[task.name] = self._bar.add_task(task.name, total=task.frames, count="", text=text)
        self._show()

    def progress(self, progress: TaskProgress) -> None:
        if progress.task not in self._running:
            return
        if self._first is None:
            # opening the engines tells nothing of the rest
            self._first = time.monotonic()
        self._running[progress.task] = progress.frames
        if self._bar is not None:
            count, text = f"{progress.frames}", f"frames, {progress.restored} faces restored"
            self._bar.update(self._lines[progress.task], completed=progress.frames, count=count, text=text)
        self._show()

    def end(self, task: Task, frames: int) -> None:
        self._running.pop(task.name, None)
        self._first = self._first or time.monotonic()
        if task.kind == "join" or (task.kind == "video" and frames):
            self._complete += bool(frames)
        if task.kind != "join":
            self._done += frames
        if self._bar is not None and task.name in self._lines:
            self._bar.remove_task(self._lines.pop(task.name))
        self._show()

    def failed(self, count: int) -> None:
        self._failures = count
        self._show()

    def _show(self) -> None:
        if self._quiet:
            return
        done = self._done + sum(self._running.values())
        now = time.monotonic()
        fps = done / (now - self._first) if self._first is not None and now > self._first else 0.0
        failures = f", {self._failures} failed" if self._failures else ""
        text = f"{self._complete}/{self._files} files{failures}, {fps:.1f} fps"
        total = self._expected if self._expected >= done else None
        if self._bar is not None:
            self._bar.update(self._all, completed=done, total=total, count=f"{done}/{total or '?'} frames,", text=text)
        elif now - self._shown >= PLAIN_INTERVAL:
            self._shown = now
            left = f", ETA {(total - done) / fps:.0f} s" if total and fps and done > FEWEST_FRAMES else ""
            running = ", ".join(f"{name}: {frames}" for name, frames in list(self._running.items())[:4])
            logger.info("%s, frame %s of %s%s (%s)", text, done, total or "?", left, running)
