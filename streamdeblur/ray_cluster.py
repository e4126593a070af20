"""A Ray cluster: connecting to one, and an executor whose calls run there, in place of a pool of processes."""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from streamdeblur.cores import usable_cores, work_beside
from streamdeblur.errors import OptionError
from streamdeblur.worker_processes import pools_from

LOCAL = "local"
"""Stands for a cluster on this machine alone."""
CONNECTING_SECONDS = 10.0
WAIT_SECONDS = 0.2
MOST_LOSSES = 3
"""How often a call is begun whose worker is lost."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@contextmanager
def pools_on_cluster(address: str) -> Iterator[int]:
    """Let pools of processes that are opened in this block be on a Ray cluster; yields the number of its cores.

    Args:
        address: Of the cluster, or 'local'.

    Raises:
        OptionError: There is no such cluster.
    """
    import ray

    connect(address)
    try:
        with pools_from(RayExecutor):
            yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def connect(address: str) -> None:
    """Connect to a cluster, or start one here; signals are handled as before, and nothing is reported to anyone.

    Raises:
        OptionError: There is no such cluster.
    """
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        _knock(address)
        if address == LOCAL and not os.environ.get("RAY_ADDRESS"):
            ray.init(address="local", num_cpus=usable_cores(), include_dashboard=False, **quiet)
        else:
            ray.init(address=None if address == LOCAL else address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, AssertionError) as error:
        named = os.environ.get("RAY_ADDRESS", address) if address == LOCAL else address
        raise OptionError(f"Cannot use the Ray cluster at {named}: {' '.join(str(error).split())[:300]}.") from None
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _knock(address: str) -> None:
    """Raise ConnectionError where nobody listens at HOST:PORT, which Ray finds out within a minute."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if separator and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECTING_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise ConnectionError(getattr(error, "strerror", None) or str(error)) from None


class _Actor:
    """A worker that runs calls."""

    def __init__(self, folder: str, processes: int, prepare: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
        if os.path.isdir(folder):
            # paths may be relative
            os.chdir(folder)
        work_beside(processes)
        if prepare is not None:
            prepare(*arguments)

    def started(self) -> None:
        """Answer as soon as the cluster has had room for this actor."""

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return function(*arguments, **named)


@dataclass(eq=False)
class _Call:
    """A call and what becomes of it."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    future: Future[Any]
    losses: int = 0


class RayExecutor(Executor):
    """Calls on the actors of a cluster, each one at a time; calls whose actor is lost are begun again."""

    def __init__(self, count: int, prepare: Callable[..., object] | None = None, *arguments: Any) -> None:
        """Start the actors, as `worker_processes.open_pool` starts processes.

        Args:
            count: Number of actors.
            prepare: Called in each before its first call.
            arguments: Its arguments.
        """
        self._count, self._prepare, self._arguments = count, prepare, arguments
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._free: list[Any] = []
        self._starting: dict[Any, Any] = {}
        for _ in range(count):
            self._start()
        self._running: dict[Any, tuple[Any, _Call]] = {}
        self._ending = threading.Event()
        self._cancelled = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Future[Result]:
        """Queue a call."""
        future = Future[Result]()
        self._calls.put(_Call(fn, args, kwargs, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the actors, when all calls are done or, with `cancel_futures`, those that were begun."""
        self._cancelled = self._cancelled or cancel_futures
        self._ending.set()
        if wait:
            self._thread.join()

    def _start(self) -> None:
        """Start an actor, which is free when it has answered: until then the cluster may have no room for it."""
        import ray

        options = {"num_cpus": 1, "scheduling_strategy": "SPREAD", "max_restarts": 0}
        arguments = (os.getcwd(), usable_cores(), self._prepare, self._arguments)
        actor = ray.remote(_Actor).options(**options).remote(*arguments)
        self._starting[actor.started.remote()] = actor

    def _run(self) -> None:
        """Give calls to free actors and take their results, until there are no more."""
        import ray

        while True:
            self._begin()
            if self._running or (self._starting and not self._calls.empty()):
                ready, _ = ray.wait([*self._running, *self._starting], num_returns=1, timeout=WAIT_SECONDS)
                for reference in ready:
                    if reference in self._starting:
                        # one that was lost meanwhile is told by its first call
                        self._free.append(self._starting.pop(reference))
                    else:
                        self._finish(reference)
            elif self._ending.is_set() and self._calls.empty():
                break
            else:
                self._ending.wait(WAIT_SECONDS)
        for actor in [*self._free, *self._starting.values()]:
            ray.kill(actor)

    def _begin(self) -> None:
        while self._free or self._cancelled:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return
            if self._cancelled or not (call.losses or call.future.set_running_or_notify_cancel()):
                call.future.cancel()
                continue
            actor = self._free.pop()
            self._running[actor.call.remote(call.function, call.arguments, call.named)] = actor, call

    def _finish(self, reference: Any) -> None:
        import ray
        from ray.exceptions import RayError, RayTaskError

        actor, call = self._running.pop(reference)
        try:
            call.future.set_result(ray.get(reference))
        except RayTaskError as error:
            call.future.set_exception(error.cause if isinstance(error.cause, Exception) else error)
        except RayError as error:
            self._start()
            call.losses += 1
            if call.losses < MOST_LOSSES:
                self._calls.put(call)
            else:
                call.future.set_exception(BrokenProcessPool(str(error)))
            return
        self._free.append(actor)
