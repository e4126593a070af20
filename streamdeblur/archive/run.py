"""The loop of a batch: tasks go to free workers, what became of them into the manifest, and segments are joined."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from streamdeblur.archive.manifest import Manifest, Record
from streamdeblur.archive.plan import File, in_one_piece, output_of
from streamdeblur.archive.pool import Pool
from streamdeblur.archive.shards import Shard
from streamdeblur.archive.tasks import Report, Task, TaskProgress
from streamdeblur.archive.worker import remove_segments
from streamdeblur.errors import EngineError, OutputError
from streamdeblur.files import check_target
from streamdeblur.jobs.batch import Job, Outcome
from streamdeblur.jobs.video import VideoSummary

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
"""Time between two looks for further files, while there is nothing to do."""


class Display(Protocol):
    """What shows how far a batch is."""

    def begin(self, task: Task) -> None:
        """A worker begins a task."""

    def progress(self, progress: TaskProgress) -> None:
        """A worker is so far with its task."""

    def end(self, task: Task, frames: int) -> None:
        """A task is done: so many of its frames count as done, none where it failed or will be tried again."""

    def failed(self, count: int) -> None:
        """So many files have failed so far."""


@dataclass(frozen=True)
class Limits:
    """When a task or a batch is given up."""

    attempts: int = 3
    """Attempts of a task whose worker was lost, or that failed for no known reason."""
    max_failures: int | None = None
    """Files that may fail; None for any number."""


@dataclass(eq=False)
class _Work:
    """A file that is not complete."""

    file: File
    left: set[str] = field(default_factory=set)
    """Names of the tasks before its last one that are not done."""
    joined: bool = False
    """Whether the last task has been queued."""
    given_up: bool = False


class BatchRun:
    """Works through the files of a batch."""

    def __init__(
        self,
        files: Sequence[File],
        manifest: Manifest,
        pool: Pool,
        display: Display,
        *,
        overwrite: bool,
        limits: Limits | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Prepare the work.

        Args:
            files: The files that are not complete.
            manifest: Keeps what became of each task.
            pool: Does the tasks.
            display: Shows how far the work is.
            overwrite: Replace outputs that are there; otherwise their files fail before anything is done of them.
            limits: When a task or the batch is given up.
            shard: The tasks to do; others do the rest.
        """
        self._manifest, self._pool, self._display = manifest, pool, display
        self._overwrite, self._limits, self._shard = overwrite, limits or Limits(), shard
        self._tasks = {task.name: task for file in files for task in file.tasks}
        self._works = {file.output: _Work(file) for file in files}
        self._waiting = deque[Task]()
        self._attempts: dict[str, int] = {}
        self._running: dict[str, str] = {}
        self._why_retired = ""
        self.outcomes: list[Outcome[VideoSummary]] = []
        """Those of the files that are complete, or failed."""

    @property
    def files(self) -> list[File]:
        """All files that were to be completed."""
        return [work.file for work in self._works.values()]

    @property
    def stopped(self) -> bool:
        """Whether more files have failed than may."""
        most = self._limits.max_failures
        return most is not None and self._failures > most

    @property
    def _failures(self) -> int:
        return sum(outcome.status == "failed" for outcome in self.outcomes)

    def is_at(self, job: Job) -> bool:
        """Return whether a file is being worked on, or still to be."""
        output = output_of(job, self._manifest)
        work = self._works.get(output)
        waits = work is not None and not work.given_up and not work.file.is_complete(self._manifest.out)
        return waits or output in self._running.values()

    def run(self, arrivals: Callable[[], Sequence[File] | None] = lambda: None) -> None:
        """Do all tasks.

        Args:
            arrivals: Returns further files, now and then; None when there will be no more.

        Raises:
            EngineError: No worker is left that could do any.
            OutputError: The manifest cannot be written.
        """
        self._plan(list(self._works.values()))
        while (more := self._arrived(arrivals)) or self._running or (self._waiting and not self.stopped):
            while self._waiting and self._pool.free and not self.stopped:
                self._give(self._waiting.popleft())
            if self._waiting and not self._running and not self._pool.size:
                why = f"No worker can do the work. {self._why_retired}".rstrip()
                raise EngineError(f"{why} What is complete is kept, and the same command goes on.")
            if self._running or self._waiting:
                # where no task is running, workers are being started
                for report in self._pool.reports(self._display.progress):
                    self._take(report)
            elif more:
                time.sleep(IDLE_SECONDS)

    def _arrived(self, arrivals: Callable[[], Sequence[File] | None]) -> bool:
        """Take in further files; return whether more may come."""
        files = None if self.stopped else arrivals()
        for file in files or ():
            if file.output in self._works:
                self._forget(file)
            self._tasks |= {task.name: task for task in file.tasks}
            self._works[file.output] = _Work(file)
        self._plan([self._works[file.output] for file in files or ()])
        return files is not None

    def _forget(self, file: File) -> None:
        """Forget what was to be done, and became, of a file as it was before it changed."""
        self.outcomes = [outcome for outcome in self.outcomes if outcome.job.target != file.job.target]
        self._waiting = deque(task for task in self._waiting if task.output != file.output)
        for task in file.tasks:
            self._attempts.pop(task.name, None)

    def _plan(self, works: Sequence[_Work]) -> None:
        for work in works:
            self._queue(work)
        if works:
            self._waiting = deque(sorted(self._waiting, key=self._order))

    def _order(self, task: Task) -> tuple[int, bool, int, int]:
        """What was begun and ended by a kill comes last, since it may have been the reason. Before it come joinings, which free
        space; what cannot be cut, the longest first, so that no worker is left with it in the end; and the rest as planned."""
        record, whole = self._record_of(task), task.kind == "video" and bool(task.reason)
        killed = record.attempts if record.state == "running" else 0
        return killed, task.kind != "join", -(task.frames or 0) if whole else 0, task.place

    def _queue(self, work: _Work) -> None:
        """Queue the tasks of a file that are not done, as far as they are those of this shard."""
        *parts, last = work.file.tasks
        undone = [task for task in parts if not work.file.done(task, self._manifest)]
        work.left = {task.name for task in undone}
        # a video in one piece has nothing to wait for, and segments that are all done are joined by any shard
        work.joined = not undone
        all_shards = bool(parts) and not undone
        mine = [task for task in (undone or [last]) if all_shards or self._shard is None or self._shard.has(task.place)]
        if mine and not self._is_refused(work):
            self._waiting.extend(mine)

    def _is_refused(self, work: _Work) -> bool:
        """Whether the output of a file must not be written: then the file has failed, and nothing is restored in vain."""
        try:
            check_target(work.file.job.source, work.file.job.target, overwrite=self._overwrite)
        except OutputError as error:
            self._manifest.put(replace(self._record_of(work.file.last), state="failed", error=str(error)))
            self._fail(work, str(error))
            return True
        return False

    def _give(self, task: Task) -> None:
        if self._works[task.output].given_up:
            return
        self._running[task.name] = task.output
        self._manifest.put(self._record_of(task).begun())
        self._display.begin(task)
        self._pool.give(task)

    def _take(self, report: Report) -> None:
        if report.task not in self._running:
            return
        del self._running[report.task]
        task = self._tasks[report.task]
        self._display.end(task, report.frames if report.state == "done" else 0)
        if task not in self._works[task.output].file.tasks:
            # a segment of a file that has meanwhile been begun in one piece
            return
        if report.state == "done":
            self._done(task, report)
        elif report.fault == "worker":
            self._pass_on(task, report)
        elif report.fault == "busy" and self._shard is not None:
            # another shard has begun to join the same segments at the same moment
            self._works[task.output].given_up = True
        elif report.fault == "segments":
            self._do_in_one_piece(task, report)
        else:
            self._try_again(task, report)

    def _record_of(self, task: Task) -> Record:
        return replace(self._manifest.records.get(task.name) or Record(task), task=task)

    def _record(self, task: Task, report: Report) -> Record:
        record = self._record_of(task).after(report)
        self._manifest.put(record)
        return record

    def _done(self, task: Task, report: Report) -> None:
        self._record(task, report)
        if not self._pool.logs_warnings:
            for warning in report.warnings:
                logger.warning("%s: %s", Path(task.file).name, warning)
        work = self._works[task.output]
        if task is work.file.last:
            self.outcomes.append(Outcome(work.file.job, "done", summary_of(report.summary, work.file)))
            return
        # the segments of other shards are told by their files
        work.left = {name for name in work.left if not work.file.done(self._tasks[name], self._manifest)}
        if not work.left and not work.joined and not work.given_up and not work.file.is_complete(self._manifest.out):
            work.joined = True
            self._waiting.appendleft(work.file.last)

    def _pass_on(self, task: Task, report: Report) -> None:
        """Give a task to another worker: this one cannot do anything."""
        self._pool.retire(report.worker)
        self._why_retired = report.error
        record = self._record_of(task)
        self._manifest.put(replace(record, state="planned", attempts=record.attempts - 1, error=report.error))
        if self._pool.size:
            logger.warning("%s gets no more work: %s", report.worker, report.error)
        self._waiting.appendleft(task)

    def _do_in_one_piece(self, task: Task, report: Report) -> None:
        work = self._works[task.output]
        logger.info("%s is restored in one piece: %s.", task.file, report.error)
        for part in work.file.tasks:
            self._manifest.put(replace(self._record_of(part), state="dropped"))
        self._waiting = deque(one for one in self._waiting if one.output != task.output)
        remove_segments(self._manifest.folder, task.output)
        file = in_one_piece(work.file, report.error)
        self._works[task.output] = _Work(file, joined=True)
        self._tasks[file.last.name] = file.last
        self._manifest.put(Record(file.last))
        self._waiting.append(file.last)

    def _try_again(self, task: Task, report: Report) -> None:
        """Queue a task again whose worker was lost; give up its file where another try would end the same."""
        self._attempts[task.name] = self._attempts.get(task.name, 0) + 1
        record = self._record(task, report)
        if report.fault in ("unknown", "busy") and self._attempts[task.name] < self._limits.attempts:
            logger.warning("%s. Trying it again.", report.error.rstrip("."))
            self._manifest.put(replace(record, state="planned"))
            self._waiting.appendleft(task)
            if report.fault == "busy":
                # a worker that was taken for lost may still be at it
                time.sleep(IDLE_SECONDS)
            return
        self._fail(self._works[task.output], report.error)

    def _fail(self, work: _Work, error: str) -> None:
        """Give up a file, and say so once."""
        if not work.given_up:
            work.given_up = True
            self.outcomes.append(Outcome(work.file.job, "failed", error=error))
            self._display.failed(self._failures)


def summary_of(values: dict[str, Any] | None, file: File) -> VideoSummary | None:
    """Return the summary of a file that a report holds, with its paths as they were given."""
    if values is None:
        return None
    return VideoSummary(**{**values, "input": str(file.job.source), "output": str(file.job.target)})


def unfinished(files: Sequence[File], outcomes: Sequence[Outcome[VideoSummary]]) -> Iterator[File]:
    """Yield the files that are neither complete nor failed: parts of them belong to other shards, or were not begun."""
    known = {outcome.job.target for outcome in outcomes}
    return (file for file in files if file.job.target not in known)
