"""The `Graph` protocol: an ONNX network that is compiled for one image size on one device and takes 8-bit pictures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.cores import GraphThreads
from streamdeblur.faces.neighbours import Neighbours
from streamdeblur.opening import ReopenedAfterFork

Tensors = list[NDArray[np.float32]]


@dataclass(frozen=True)
class GraphSpec:
    """What to compile, and the pictures that it will get."""

    model: bytes
    """Content of the ONNX file, whose inputs are float32 [N, 3, height, width] and, with a memory, those of `Network`."""
    outputs: tuple[str, ...]
    """Names of the outputs to return, in order."""
    height: int
    width: int
    threads: GraphThreads
    """What it computes with; several pictures are in flight where they are computed at the same time."""
    divisor: float = 1.0
    """Divisor of the pixels: 255 for a network that takes [0, 1]."""
    input_name: str = "blurry"
    shape: tuple[int, ...] | None = None
    """Shape that each output must have; None for any."""
    memory: int = 0
    """Number of neighbouring crops that the network takes."""
    takes_turns: bool = False
    """Other graphs compute on the same cores while this one does not."""


class ReopenedGraph:
    """A graph that is compiled again in a forked process."""

    def __init__(self, open_graph: Callable[[], Graph]) -> None:
        self._graph = ReopenedAfterFork(open_graph)

    @property
    def description(self) -> str:
        return self._graph.current.description

    @property
    def parallel(self) -> int:
        return self._graph.current.parallel

    def submit(self, image: NDArray[np.uint8], neighbours: Neighbours = ()) -> Future[Tensors]:
        return self._graph.current.submit(image, neighbours)

    def close(self) -> None:
        if not self._graph.inherited:
            self._graph.current.close()


class Graph(Protocol):
    """A compiled network. Call it from one thread at a time; several pictures may be in flight."""

    @property
    def description(self) -> str:
        """Device and precision, for messages."""

    @property
    def parallel(self) -> int:
        """Number of pictures that it computes at the same time, each on an equal share of its threads."""

    def submit(self, image: NDArray[np.uint8], neighbours: Neighbours = ()) -> Future[Tensors]:
        """Start on one picture.

        Args:
            image: uint8 RGB [height, width, 3]; not to be changed until the result is there.
            neighbours: For the memory of the network; one without a memory ignores them.

        Returns:
            A future of the outputs, float32 [1, ...] each.
        """

    def close(self) -> None:
        """Wait for what is in flight and free the device; what is submitted later is refused. Closing again does nothing."""
