"""Pools of workers: what does the tasks of a batch, in this process, in others, or on other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from streamdeblur.archive.tasks import Report, Task, TaskProgress
from streamdeblur.archive.worker import Assignment, Worker

MOST_LOSSES = 3
"""Losses in a row after which a worker that has done nothing is not started again."""


class Pool(Protocol):
    """Workers that do tasks, each one at a time."""

    logs_warnings: bool
    """Whether the warnings of tasks are logged where they arise, so that a user has seen them."""

    @property
    def free(self) -> int:
        """Number of workers that have been started and have no task."""

    @property
    def size(self) -> int:
        """Number of workers that are not retired."""

    def give(self, task: Task) -> None:
        """Let a free worker begin a task."""

    def reports(self, on_progress: Callable[[TaskProgress], object]) -> Iterator[Report]:
        """Wait for moments, and yield the reports of tasks that have ended; each task that was given has one.

        It waits for workers that are being started, too. A worker that was lost is replaced; the report of its task says so.
        """

    def retire(self, worker: str) -> None:
        """Give no more tasks to a worker."""

    def close(self, *, wait: bool) -> None:
        """End all workers, their tasks unfinished unless this waits for them."""


@dataclass(eq=False, kw_only=True)
class PoolWorker:
    """A worker elsewhere, as its pool knows it."""

    number: int
    task: Task | None = None
    losses: int = 0
    retired: bool = False

    def lost(self) -> None:
        """Count a loss; a worker that has been lost too often in a row is retired."""
        self.losses += 1
        self.retired = self.retired or self.losses >= MOST_LOSSES


class OwnProcess:
    """The pool that is this process."""

    logs_warnings = True

    def __init__(self, assignment: Assignment) -> None:
        """`assignment`: what the worker is told."""
        self._worker = Worker(assignment)
        self._task: Task | None = None
        self._retired = False

    @property
    def free(self) -> int:
        return int(self._task is None and not self._retired)

    @property
    def size(self) -> int:
        return int(not self._retired)

    def give(self, task: Task) -> None:
        self._task = task

    def reports(self, on_progress: Callable[[TaskProgress], object]) -> Iterator[Report]:
        task, self._task = self._task, None
        if task is not None:
            yield self._worker.run(task, on_progress)

    def retire(self, worker: str) -> None:
        self._retired = True

    def close(self, *, wait: bool) -> None:
        self._worker.close()
