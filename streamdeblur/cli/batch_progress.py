"""Progress of a batch: one line for all files, and on a terminal one for each file that workers are at."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from streamdeblur.cli.output import printable
from streamdeblur.cli.progress import PLAIN_INTERVAL, open_bar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from streamdeblur.archive.plan import File
    from streamdeblur.archive.tasks import Task, TaskProgress

logger = logging.getLogger(__name__)

FEWEST_FRAMES = 20
"""Frames from which on the time that is left is estimated."""
MOST_NAMES = 4
"""Files that a line names where stderr is no terminal."""


class BatchProgress:
    """Shows how far a batch is: files, frames, the time that is left, and failures; nothing if `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Bar | None = None
        self._lines: dict[str, TaskID] = {}
        self._files = self._complete = self._failures = 0
        self._expected, self._done = Counter[str](), Counter[str]()
        """Frames of each file that are to be restored, and that are."""
        self._running: dict[str, tuple[Task, int]] = {}
        """Each task that is being done, with its frames so far."""
        self._first: tuple[float, int] | None = None
        """When the first frames were done, and how many: to open the engines tells nothing of the rest."""
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def plan(self, files: Sequence[File], left: Sequence[Task]) -> Self:
        """Take files of the batch, and the tasks of them that are left to do."""
        self._files += len(files)
        self._complete += len(files) - len({task.output for task in left})
        for task in left:
            self._expected[task.output] += task.frames or 0
        if self._bar is None and not self._quiet and sys.stderr.isatty():
            self._bar = open_bar()
            self._bar.start()
            self._all = self._bar.add_task("all", total=None, count="", text="")
        return self

    def begin(self, task: Task) -> None:
        self._running[task.name] = task, 0
        if self._bar is not None and task.output not in self._lines:
            total = self._expected[task.output] or None
            self._lines[task.output] = self._bar.add_task(printable(task.output), total=total, count="", text="")
        self._show(task)

    def progress(self, progress: TaskProgress) -> None:
        if progress.task not in self._running:
            return
        task, _ = self._running[progress.task]
        self._running[progress.task] = task, progress.frames
        self._first = self._first or (time.monotonic(), self._all_done)
        self._show(task)

    def end(self, task: Task, frames: int) -> None:
        self._running.pop(task.name, None)
        if frames and task.kind != "segment":
            self._complete += 1
        if task.kind != "join":
            self._done[task.output] += frames
        self._first = self._first or (time.monotonic(), self._all_done)
        if self._bar is not None and task.output in self._lines and not self._at(task.output):
            self._bar.remove_task(self._lines.pop(task.output))
        self._show(task)

    def failed(self, count: int) -> None:
        self._failures = count

    def _at(self, output: str) -> list[tuple[Task, int]]:
        """What is being done of a file."""
        return [(task, frames) for task, frames in self._running.values() if task.output == output]

    def _show(self, task: Task) -> None:
        now = time.monotonic()
        if self._bar is not None:
            self._show_bars(task.output, now)
        elif not self._quiet and now - self._shown >= PLAIN_INTERVAL:
            self._shown = now
            done, total, fps = self._frames(now)
            left = f", ETA {(total - done) / fps:.0f} s" if total and fps and done > FEWEST_FRAMES else ""
            names = ", ".join(f"{name}: {frames}" for name, (_, frames) in list(self._running.items())[:MOST_NAMES])
            names = f" ({names})" if names else ""
            logger.info("%s, %.1f fps, frame %s of %s%s%s", self._counted(), fps, done, total or "?", left, names)

    def _show_bars(self, output: str, now: float) -> None:
        assert self._bar is not None
        done, total, fps = self._frames(now)
        text = f"{self._counted()}, {fps:.1f} fps"
        self._bar.update(self._all, completed=done, total=total, count=f"{done}/{total or '?'} frames,", text=text)
        if output in self._lines:
            doing = self._at(output)
            frames = self._done[output] + sum(frames for _, frames in doing)
            what = "joining" if any(task.kind == "join" for task, _ in doing) else f"by {len(doing)}" if len(doing) > 1 else ""
            self._bar.update(self._lines[output], completed=frames, count=f"{frames} frames", text=what)

    def _frames(self, now: float) -> tuple[int, int | None, float]:
        """Frames that are done, all frames as far as they are known, and frames per second."""
        done = self._all_done
        began, first = self._first or (now, 0)
        fps = (done - first) / (now - began) if now > began else 0.0
        total = self._expected.total()
        return done, total if total >= done else None, fps

    @property
    def _all_done(self) -> int:
        return self._done.total() + sum(frames for _, frames in self._running.values())

    def _counted(self) -> str:
        return f"{self._complete}/{self._files} files" + (f", {self._failures} failed" if self._failures else "")
