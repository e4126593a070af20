"""SizedGraphs: the graphs of one network for crops of several sizes, which share the cores."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.graph import Graph, Tensors
from streamdeblur.errors import EngineError, StreamDeblurError
from streamdeblur.faces.neighbours import Neighbours
from streamdeblur.opening import ReopenedAfterFork


class SizedGraphs:
    """One graph for each size of crops. That of the largest is opened at once, each other one with its first crop.

    Each graph has as many threads as the plan gives to networks. So that no more of them work, crops of one size queue in their
    graph, and a crop of another size starts when enough cores are free.
    """

    def __init__(self, sizes: Sequence[int], open_graph: Callable[[int], Graph]) -> None:
        """
        Args:
            sizes: Sides of crops.
            open_graph: Compiles the network for one of them.

        Raises:
            EngineError, NetworkError: The network cannot be run with crops of the largest size.
        """
        self.sizes = tuple(sorted(sizes))
        self._open, self._closed = open_graph, False
        self._graphs = {self.sizes[-1]: open_graph(self.sizes[-1])}
        self._starter = ReopenedAfterFork(_Starter) if len(self.sizes) > 1 else None

    @property
    def description(self) -> str:
        """Device and precision, for messages."""
        return self._graphs[self.sizes[-1]].description

    @property
    def parallel(self) -> int:
        """Number of crops of one size that are computed at the same time."""
        return self._graphs[self.sizes[-1]].parallel

    def _graph(self, size: int) -> Graph:
        if size not in self._graphs:
            if self._closed:
                raise EngineError("The engine is closed.")
            try:
                self._graphs[size] = self._open(size)
            except StreamDeblurError:
                raise
            except Exception as error:
                # Each runtime raises types of its own for what it cannot compile; callers handle one.
                raise EngineError(f"The engine cannot run crops of {size} px: {error}") from error
        return self._graphs[size]

    def submit(self, crop: NDArray[np.uint8], neighbours: Neighbours = ()) -> Future[Tensors]:
        """Start on a crop, uint8 RGB [S, S, 3] of one of the sizes, as `Graph.submit` does.

        Returns:
            A future of the outputs. To cancel it gives up a crop that waits for cores or in its graph.

        Raises:
            EngineError, NetworkError: The engine failed, or cannot run crops of this size.
        """
        graph = self._graph(len(crop))
        return graph.submit(crop, neighbours) if self._starter is None else self._starter.current.submit(graph, crop, neighbours)

    def close(self) -> None:
        """Wait for what is in flight and free the device; what is submitted later is refused. Closing again does nothing."""
        self._closed = True
        if self._starter is not None and not self._starter.inherited:
            self._starter.current.close()
        for graph in self._graphs.values():
            graph.close()


class _Starter:
    """Starts crops in their order, each as soon as there are cores for it."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "crops")
        self._running: list[tuple[Graph, Future[Tensors]]] = []

    def submit(self, graph: Graph, crop: NDArray[np.uint8], neighbours: Neighbours) -> Future[Tensors]:
        result: Future[Tensors] = Future()
        try:
            self._worker.submit(self._start, graph, crop, neighbours, result)
        except RuntimeError:
            # the worker has ended, by `close` or because the interpreter is ending
            raise EngineError("The engine is closed.") from None
        return result

    def _start(self, graph: Graph, crop: NDArray[np.uint8], neighbours: Neighbours, result: Future[Tensors]) -> None:
        try:
            self._wait_for_cores(graph, result)
            if result.cancelled():
                return
            started = graph.submit(crop, neighbours)
        except Exception as error:
            # Each runtime raises types of its own; whatever it is belongs to the caller that waits for the result.
            if result.set_running_or_notify_cancel():
                result.set_exception(error)
            return
        self._running.append((graph, started))
        # a crop that waits in its graph can still be given up there
        result.add_done_callback(partial(_give_up, weakref.ref(started)))
        started.add_done_callback(lambda done: _pass_on(done, result))

    def _wait_for_cores(self, graph: Graph, result: Future[Tensors]) -> None:
        """Wait until a crop may start on a graph, or is given up."""
        while not result.cancelled():
            self._running = [(other, future) for other, future in self._running if not future.done()]
            graphs = [other for other, _ in self._running]
            if all(other is graph for other in graphs) or len(graphs) < min(other.parallel for other in (graph, *graphs)):
                return
            wait([future for _, future in self._running], return_when=FIRST_COMPLETED)

    def close(self) -> None:
        """Wait until all crops have been started."""
        self._worker.shutdown()


def _give_up(started: weakref.ref[Future[Tensors]], result: Future[Tensors]) -> None:
    """Cancel what was started for a result that is cancelled; a reference to it would make a cycle, which keeps the outputs."""
    future = started()
    if result.cancelled() and future is not None:
        future.cancel()


def _pass_on(done: Future[Tensors], result: Future[Tensors]) -> None:
    if done.cancelled():
        result.cancel()
        return
    if not result.set_running_or_notify_cancel():
        # it was given up while it ran
        return
    if (error := done.exception()) is not None:
        result.set_exception(error)
    else:
        result.set_result(done.result())
