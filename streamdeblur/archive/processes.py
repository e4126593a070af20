"""Processes: a pool of worker processes of this machine. One that is killed costs its task, which another one does again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.context import SpawnProcess

from streamdeblur.archive.pool import PoolWorker
from streamdeblur.archive.tasks import Report, Task, TaskProgress
from streamdeblur.archive.worker import Assignment, Worker, leave_warnings_to_reports
from streamdeblur.archive.workers import devices_of_workers
from streamdeblur.partial_file import remove_unfinished
from streamdeblur.worker_processes import start_process

WAIT_SECONDS = 1.0
ENDING_SECONDS = 10.0


@dataclass(eq=False, kw_only=True)
class _Process(PoolWorker):
    """A worker process."""

    process: SpawnProcess
    pipe: connection.Connection

    @property
    def name(self) -> str:
        return f"worker {self.number}"


class Processes:
    """Worker processes that share the cores of this machine."""

    logs_warnings = False

    def __init__(self, assignment: Assignment, count: int, most_memory: int | None = None) -> None:
        """Start the processes.

        Args:
            assignment: What they are told.
            count: How many.
            most_memory: Bytes from which on a process is replaced when it has done its task; None for no limit.
        """
        self._assignment, self._count, self._most_memory = assignment, count, most_memory
        self._devices = devices_of_workers(assignment.options.restoration)
        self._processes = [self._start(number) for number in range(1, count + 1)]

    def _start(self, number: int) -> _Process:
        own, theirs = connection.Pipe()
        options = self._assignment.options.changed(device=self._devices[(number - 1) % len(self._devices)])
        assignment = replace(self._assignment, options=options)
        process = start_process(self._count, _work, assignment, f"worker {number}", theirs)
        theirs.close()
        return _Process(number=number, process=process, pipe=own)

    @property
    def free(self) -> int:
        return sum(one.task is None and not one.retired for one in self._processes)

    @property
    def size(self) -> int:
        return sum(not one.retired for one in self._processes)

    @property
    def ids(self) -> list[int]:
        """The ids of the processes."""
        return [one.process.pid or 0 for one in self._processes if not one.retired]

    def give(self, task: Task) -> None:
        worker = next(one for one in self._processes if one.task is None and not one.retired)
        worker.task = task
        try:
            worker.pipe.send(task)
        except OSError:
            # it has ended, which `reports` finds
            return

    def reports(self, on_progress: Callable[[TaskProgress], object]) -> Iterator[Report]:
        there = {one.pipe: one for one in self._processes if not one.retired}
        for pipe in connection.wait(list(there), WAIT_SECONDS):
            yield from self._received(there[pipe], on_progress)  # type: ignore[index]  # only pipes were waited for

    def _received(self, worker: _Process, on_progress: Callable[[TaskProgress], object]) -> Iterator[Report]:
        try:
            event: Report | TaskProgress = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._lost(worker)
            return
        if isinstance(event, Report):
            worker.task, worker.losses = None, 0
            yield event
            if self._most_memory is not None and event.memory > self._most_memory and not worker.retired:
                self._replace(worker)
        else:
            on_progress(event)

    def _lost(self, worker: _Process) -> Iterator[Report]:
        """Replace a process that has ended, and report what it was doing."""
        worker.process.join(ENDING_SECONDS)
        ending = _ending(worker.process.exitcode)
        task, worker.task = worker.task, None
        worker.lost()
        if not worker.retired:
            self._replace(worker)
        if task is not None:
            error = f"{task.file}: {worker.name} {ending}"
            yield Report(task.name, worker.name, "failed", error=error, fault="unknown")

    def _replace(self, worker: _Process) -> None:
        _end(worker)
        new = self._start(worker.number)
        worker.process, worker.pipe = new.process, new.pipe

    def retire(self, worker: str) -> None:
        for one in self._processes:
            if one.name == worker:
                one.retired = True
                _end(one)

    def close(self, *, wait: bool) -> None:
        for one in self._processes:
            # a process without a pipe ends after its task; one that is terminated removes what it was writing
            one.pipe.close()
            if not wait:
                one.process.terminate()
        for one in self._processes:
            one.process.join(ENDING_SECONDS)
            _end(one)


def _end(worker: _Process) -> None:
    """End a process at once; what it was writing is removed by the next one with that task."""
    worker.pipe.close()
    worker.process.kill()
    worker.process.join(ENDING_SECONDS)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with code {code}"


def _work(assignment: Assignment, name: str, pipe: connection.Connection) -> None:
    """What a worker process does: its tasks, until its parent closes the pipe."""
    leave_warnings_to_reports()
    signal.signal(signal.SIGTERM, _leave)
    try:
        worker = Worker(assignment, name)
        while True:
            pipe.send(worker.run(pipe.recv(), pipe.send))
    except (EOFError, OSError):
        worker.close()
    except SystemExit:
        remove_unfinished()
        # an orderly end would wait for engines in the midst of their work
        os._exit(1)


def _leave(*_: object) -> None:
    sys.exit(1)
