"""RayWorkers: a pool of workers on a Ray cluster, one for each GPU or for some cores. Ray carries paths and reports alone."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from streamdeblur.archive.pool import PoolWorker
from streamdeblur.archive.tasks import Report, Task, TaskProgress
from streamdeblur.archive.worker import Assignment, Worker, leave_warnings_to_reports
from streamdeblur.engines.registry import NVIDIA_ENGINES
from streamdeblur.options import RestorationOptions
from streamdeblur.ray_cluster import LOCAL, connect
from streamdeblur.weights import AUTO

logger = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
GROW_SECONDS = 15.0
"""Time between two looks for nodes that have joined the cluster."""


class _Progress:
    """Keeps the latest progress of each task, until it is asked for."""

    def __init__(self) -> None:
        self._latest: dict[str, TaskProgress] = {}

    def put(self, progress: TaskProgress) -> None:
        self._latest[progress.task] = progress

    def take(self) -> list[TaskProgress]:
        latest, self._latest = list(self._latest.values()), {}
        return latest


class _Actor:
    """A worker that owns an engine, as an actor."""

    def __init__(self, assignment: Assignment, name: str) -> None:
        leave_warnings_to_reports()
        self._worker = Worker(assignment, name)

    def node(self) -> tuple[str, int]:
        """The id of its node, and that of its process."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    def run(self, task: Task, progress: Any) -> Report:
        return self._worker.run(task, progress.put.remote)


@dataclass(eq=False, kw_only=True)
class _RayWorker(PoolWorker):
    """An actor."""

    actor: Any
    asked: Any
    """The reference to where it is, until it has been answered: so long the cluster may have no room for it."""
    node: str = ""
    process: int = 0
    reference: Any = None

    @property
    def name(self) -> str:
        return f"actor {self.number}"

    @property
    def free(self) -> bool:
        """Whether it has been started, and has no task."""
        return self.asked is None and self.task is None and not self.retired


class RayWorkers:
    """Actors on a Ray cluster.

    Each has one task at a time, so that nothing waits within Ray. A task is given to an actor on the node that last worked on
    the same file, if one is free there: its disk or cache may hold the file.
    """

    logs_warnings = False

    def __init__(
        self,
        assignment: Assignment,
        address: str = LOCAL,
        *,
        count: int | None = None,
        cores: int = 1,
        most_memory: int | None = None,
    ) -> None:
        """Connect to a cluster, and start the actors.

        Args:
            assignment: What they are told.
            address: That of the cluster, or 'local' for one on this machine.
            count: Number of actors; by default one for each GPU of the cluster, or as many as its cores have room for.
            cores: Cores of each actor, or of the largest node if that has fewer.
            most_memory: Bytes from which on an actor is replaced when it has done its task; None for no limit.

        Raises:
            OptionError: There is no such cluster.
        """
        import ray
        from ray.exceptions import RayError

        self._ray, self._lost = ray, RayError
        self._assignment, self._count, self._most_memory = assignment, count, most_memory
        connect(address)
        self._gpus = int(bool(ray.cluster_resources().get("GPU")) and _may_use_a_card(assignment.options.restoration))
        self._progress, self._asked = self._new_progress(), None
        # an actor that no node has room for would wait for ever; a cluster without any may get nodes later
        self._cores = min(cores, max(self._node_cores(), default=0) or cores)
        self._workers: list[_RayWorker] = []
        self._where: dict[str, str] = {}
        self._grow()
        if count is not None and (room := self._room()) < count:
            wanted = "GPUs: 1" if self._gpus else f"cores: {self._cores}"
            logger.warning("The cluster has room for %d of %d workers (%s each); the others wait for more.", room, count, wanted)

    def _new_progress(self) -> Any:
        return self._ray.remote(_Progress).options(num_cpus=0).remote()

    def _grow(self) -> None:
        """Start actors for all that the cluster has room for by now."""
        self._grown = time.monotonic()
        wanted = self._count or self._room()
        for number in range(len(self._workers) + 1, wanted + 1):
            self._workers.append(self._start(number))

    def _room(self) -> int:
        """How many actors fit into the cluster."""
        if self._gpus:
            return int(self._ray.cluster_resources().get("GPU", 1))
        return max(1, sum(cores // self._cores for cores in self._node_cores()))

    def _node_cores(self) -> list[int]:
        return [int(node["Resources"].get("CPU", 0)) for node in self._ray.nodes() if node["Alive"]]

    def _start(self, number: int) -> _RayWorker:
        options = {"num_cpus": self._cores, "num_gpus": self._gpus, "scheduling_strategy": "SPREAD", "max_restarts": 0}
        actor = self._ray.remote(_Actor).options(**options).remote(self._assignment, f"actor {number}")
        return _RayWorker(number=number, actor=actor, asked=actor.node.remote())

    @property
    def free(self) -> int:
        return sum(one.free for one in self._usable)

    @property
    def size(self) -> int:
        return len(self._usable)

    @property
    def _usable(self) -> list[_RayWorker]:
        return [one for one in self._workers if not one.retired]

    @property
    def ids(self) -> list[int]:
        """The ids of the processes that are known."""
        return [one.process for one in self._usable if one.process]

    def give(self, task: Task) -> None:
        free = [one for one in self._usable if one.free]
        near = [one for one in free if one.node and one.node == self._where.get(task.file)]
        worker = (near or free)[0]
        worker.task, worker.reference = task, worker.actor.run.remote(task, self._progress)

    def reports(self, on_progress: Callable[[TaskProgress], object]) -> Iterator[Report]:
        if time.monotonic() - self._grown >= GROW_SECONDS:
            self._grow()
        running = {one.reference: one for one in self._workers if one.reference is not None}
        starting = [one.asked for one in self._workers if one.asked is not None]
        if not running and not starting:
            return
        ready, _ = self._ray.wait([*running, *starting], num_returns=1, timeout=WAIT_SECONDS)
        self._locate()
        for progress in self._taken():
            on_progress(progress)
        for reference in ready:
            if reference in running:
                yield self._ended(running[reference])

    def _locate(self) -> None:
        """Note on which nodes actors have been started."""
        asked = {one.asked: one for one in self._workers if one.asked is not None}
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0) if asked else ([], [])
        for reference in ready:
            worker, worker_asked = asked[reference], reference
            worker.asked = None
            try:
                worker.node, worker.process = self._ray.get(worker_asked)
            except self._lost:
                # it is lost, which its task tells
                continue

    def _taken(self) -> list[TaskProgress]:
        """What tasks have reported since the last call, if the answer is there."""
        if self._asked is None:
            self._asked = self._progress.take.remote()
        if not self._ray.wait([self._asked], timeout=0)[0]:
            return []
        asked, self._asked = self._asked, None
        try:
            return list(self._ray.get(asked))
        except self._lost:
            # with its node: tasks that are given later report to another one
            self._progress = self._new_progress()
            return []

    def _ended(self, worker: _RayWorker) -> Report:
        """The report of a task that has ended, with its actor or without."""
        task, worker.task = worker.task, None
        reference, worker.reference = worker.reference, None
        assert task is not None
        try:
            report: Report = self._ray.get(reference)
        except self._lost as error:
            worker.lost()
            if not worker.retired:
                self._restart(worker)
            text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            lost = f"{task.file}: {worker.name} was lost ({type(error).__name__}: {text})"
            return Report(task.name, worker.name, "failed", error=lost, fault="unknown")
        worker.losses = 0
        self._where[task.file] = worker.node
        if self._most_memory is not None and report.memory > self._most_memory:
            self._ray.kill(worker.actor)
            self._restart(worker)
        return report

    def _restart(self, worker: _RayWorker) -> None:
        new = self._start(worker.number)
        worker.actor, worker.asked, worker.node, worker.process = new.actor, new.asked, "", 0

    def retire(self, worker: str) -> None:
        for one in self._workers:
            if one.name == worker:
                one.retired = True
                self._ray.kill(one.actor)

    def close(self, *, wait: bool) -> None:
        for one in self._usable:
            self._ray.kill(one.actor)
        self._ray.shutdown()


def _may_use_a_card(options: RestorationOptions) -> bool:
    """Whether a worker uses an NVIDIA card where it finds one; Ray shows it no card but its own."""
    return options.device != "cpu" and options.engine in (AUTO, *NVIDIA_ENGINES)
