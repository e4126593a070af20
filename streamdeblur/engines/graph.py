"""Graph: any ONNX network, compiled for one image size on one device, fed with 8-bit pictures."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Tensors = list[NDArray[np.float32]]


@dataclass(frozen=True)
class GraphSpec:
    """What to compile, and how it will be fed."""

    model: bytes
    """The ONNX file's content; its only input takes float32 [N, 3, height, width]."""
    outputs: tuple[str, ...]
    """Names of the outputs that are wanted, in order."""
    height: int
    width: int
    divisor: float = 1.0
    """Pixels are divided by this on their way in: 255 for a network that takes [0, 1]."""
    input_name: str = "blurry"
    throughput: bool = False
    """Many pictures in flight, for files; otherwise each picture has all cores, for the lowest latency."""


class Graph(Protocol):
    """A compiled network. Safe to call from one thread at a time; `submit` may keep several pictures in flight."""

    @property
    def description(self) -> str:
        """Device and precision, for people."""

    def submit(self, image: NDArray[np.uint8]) -> Future[Tensors]:
        """Start on one picture, uint8 RGB [height, width, 3], not to be changed until the result is there.

        The future holds the wanted outputs, float32 [1, ...] each.
        """

    def close(self) -> None:
        """Wait for what is in flight and free the device."""
