"""CUDA graphs of executions: one launch in place of some hundred.

They are captured through the driver itself, since pycuda has no calls for them. A graph holds addresses, and TensorRT allows no
change of its execution context afterwards. So only executions whose context always runs the same batch are captured: those of one
and of two faces, which are also those that launches limit.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Hashable
from typing import Any

from streamdeblur.engines.cards import open_driver
from streamdeblur.engines.tensorrt.device import Stream

logger = logging.getLogger(__name__)

THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile, other libraries among them, is allowed."""


class GraphError(Exception):
    """The driver refuses a capture, or a launch."""


class Graphs:
    """The graphs of one stream, by what is executed. Used on the device's thread, with its context current."""

    def __init__(self, stream: Stream) -> None:
        self._driver: Any = open_driver()
        self._stream = ctypes.c_void_p(stream.handle)
        self._graphs: dict[Hashable, ctypes.c_void_p] = {}
        self._ran: set[Hashable] = set()

    def launch(self, key: Hashable) -> bool:
        """Launch a graph; False where there is none.

        Raises:
            GraphError: The driver refuses it.
        """
        graph = self._graphs.get(key)
        if graph is not None:
            self._check("cuGraphLaunch", graph, self._stream)
        return graph is not None

    def run(self, key: Hashable, execute: Callable[[], None]) -> None:
        """Execute, at the second time of a key through a graph that is captured now.

        At the first time libraries prepare what cannot be captured.

        Args:
            key: What tells the execution from others; its addresses are the same as long as `drop` is not called.
            execute: Puts the execution into the stream.
        """
        if self._driver is None or key not in self._ran:
            execute()
            self._ran.add(key)
            return
        try:
            self._graphs[key] = self._captured(execute)
            self.launch(key)
        except Exception as error:
            # Guards the execution against what cannot be captured, which CUDA and TensorRT report by errors of their own. If the
            # capture is not what is wrong, the execution without one fails as well.
            logger.debug("No CUDA graphs: %s", error)
            self.clear()
            self._driver = None
            execute()

    def _captured(self, execute: Callable[[], None]) -> ctypes.c_void_p:
        captured, graph = ctypes.c_void_p(), ctypes.c_void_p()
        self._check("cuStreamBeginCapture_v2", self._stream, THREAD_LOCAL)
        try:
            execute()
        finally:
            # a stream must not stay in capture, whatever goes wrong
            ended = self._driver.cuStreamEndCapture(self._stream, ctypes.byref(captured))
        if ended:
            raise GraphError(f"cuStreamEndCapture answers {ended}")
        try:
            self._check("cuGraphInstantiateWithFlags", ctypes.byref(graph), captured, ctypes.c_ulonglong(0))
        finally:
            self._driver.cuGraphDestroy(captured)
        return graph

    def _check(self, name: str, *arguments: object) -> None:
        code = getattr(self._driver, name)(*arguments)
        if code:
            raise GraphError(f"{name} answers {code}")

    def drop(self, key: Hashable) -> None:
        """Forget an execution, whose addresses change; no launch of its graph may be in the stream any more."""
        self._ran.discard(key)
        graph = self._graphs.pop(key, None)
        if graph is not None:
            self._driver.cuGraphExecDestroy(graph)

    def clear(self) -> None:
        """Forget all executions; no launch of a graph may be in the stream any more."""
        for key in [*self._ran, *self._graphs]:
            self.drop(key)
