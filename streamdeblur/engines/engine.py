"""Engine: crops in, restored crops out; and the one that every `Graph` becomes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.graph import Graph, Tensors
from streamdeblur.errors import EngineError
from streamdeblur.kernels.tensors import quantise

if TYPE_CHECKING:
    from streamdeblur.faces.window import FaceWindow
    from streamdeblur.video.planes import Planes

Crops = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Restored:
    """What an engine made of a batch of crops."""

    crops: Crops
    """uint8 RGB [N, 256, 256, 3]; a crop for which the network gave NaN is as it came."""
    finite: NDArray[np.bool_]
    """bool [N]: False where the network gave NaN or infinity."""
    in_time: NDArray[np.bool_]
    """bool [N]: False where a crop was not ready by the deadline; it is as it came."""


@dataclass(frozen=True, eq=False)
class Pasted:
    """What became of the faces of a frame."""

    finite: NDArray[np.bool_]
    """bool [N]: False where the network gave NaN or infinity; the face is as it was."""
    in_time: NDArray[np.bool_]
    """bool [N]: False where a face was not ready by the deadline; it is as it was."""


class Ticket(Protocol):
    """A batch in flight."""

    def result(self, deadline: float | None = None) -> Restored:
        """Wait for the batch, or until `deadline` (`time.monotonic`) for what is ready by then.

        Raises:
            EngineError: the device failed.
        """


class Engine(Protocol):
    """Runs the deblurring network. To be called from one thread at a time."""

    @property
    def name(self) -> str:
        """As `open_engine` takes it."""

    @property
    def reason(self) -> str:
        """Why this engine was chosen, and on which device it runs."""

    def infer(self, crops: Crops) -> Crops:
        """Restore crops, uint8 RGB [N, 256, 256, 3] with any N >= 0; returns the same shape."""

    def submit(self, crops: Crops) -> Ticket:
        """Start on a batch, not to be changed until its ticket has its result; several may be in flight."""

    def close(self) -> None:
        """Wait for what is in flight and free the device."""


class FacesTicket(Protocol):
    """The faces of a frame in flight."""

    def paste(self, planes: Planes, deadline: float | None = None) -> Pasted:
        """Wait for the faces, or until `deadline` (`time.monotonic`), and add what is ready by then to the same frame's planes.

        Raises:
            EngineError: the device failed; the planes are as they were.
        """


@runtime_checkable
class FrameEngine(Engine, Protocol):
    """An engine that crops and pastes, too: frames go to it, and only what changes comes back."""

    def submit_faces(self, planes: Planes, windows: Sequence[FaceWindow], strengths: Sequence[float]) -> FacesTicket:
        """Start on the faces of a frame: what lies in `windows` is restored, and the share `strengths` of it added."""


def refuse_other_crops(crops: NDArray[Any]) -> Crops:
    """The crops, C-contiguous. Raises ValueError: they are not uint8 [N, 256, 256, 3]."""
    if crops.ndim != 4 or crops.shape[1:] != (256, 256, 3) or crops.dtype != np.uint8:
        raise ValueError(f"Crops are uint8 [N, 256, 256, 3] (got {crops.dtype} {list(crops.shape)}).")
    return np.ascontiguousarray(crops)


class GraphTicket:
    """The crops of a batch in flight, one future each."""

    def __init__(self, crops: Crops, futures: Sequence[Future[Tensors]]) -> None:
        self._crops, self._futures = crops, futures

    def result(self, deadline: float | None = None) -> Restored:
        restored, finite, in_time = self._crops.copy(), *np.ones((2, len(self._crops)), np.bool_)
        for n, future in enumerate(self._futures):
            try:
                images = future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))[0]
            except TimeoutError:
                in_time[n] = False
                continue
            except Exception as error:
                # whatever the runtime raises, the user needs to know that the device failed
                raise EngineError(f"The engine failed on a crop: {error}") from error
            quantise(images, restored[n : n + 1], finite[n : n + 1])
            if not finite[n]:
                restored[n] = self._crops[n]
        return Restored(restored, finite, in_time)


class GraphEngine:
    """An engine on any `Graph` of the deblurring network."""

    def __init__(self, name: str, reason: str, graph: Graph) -> None:
        self.name = name
        self.reason = f"{reason} ({graph.description})"
        self._graph = graph

    def infer(self, crops: Crops) -> Crops:
        return self.submit(crops).result().crops

    def submit(self, crops: Crops) -> GraphTicket:
        crops = refuse_other_crops(crops)
        return GraphTicket(crops, [self._graph.submit(crop) for crop in crops])

    def close(self) -> None:
        self._graph.close()
