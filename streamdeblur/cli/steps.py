"""Progress of work in many steps: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from streamdeblur.cli.report import PLAIN_INTERVAL, tell

if TYPE_CHECKING:
    from streamdeblur.training.datasets.assembly import Step


class StepLine:
    """Shows how far a data set or a video is; nothing where `quiet`."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name, self._quiet = name, quiet
        self._bar: Any = None
        self._began = self._told = time.monotonic()

    def __enter__(self) -> StepLine:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[title]}, ETA"),
            )
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=None, title="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: Step) -> None:
        self.show(step.done, step.total, step.title)

    def show(self, done: int, total: int | None, title: str) -> None:
        """So many are done; the total may not be known. `title` tells what was done last, or what is counted."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, title=title)
        elif not self._quiet and now - self._told >= PLAIN_INTERVAL:
            self._told = now
            left = f", ETA {(now - self._began) * max(0, total - done) / done:.0f} s" if total and done else ""
            of = f" of {total}" if total else ""
            tell(f"{self._name}: {done}{of} ({title}){left}")
