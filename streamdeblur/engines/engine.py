"""The `Engine` protocol, and the engine that any compiled graph of the deblurring network becomes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.graph import Graph, Tensors
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import Neighbours
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.tensors import quantise
from streamdeblur.video.planes import Planes

Crops = NDArray[np.uint8]
"""uint8 RGB [N, 256, 256, 3]."""
IMAGE_SHAPE = (1, 3, CROP_SIZE, CROP_SIZE)
"""Shape of what the network returns for a crop."""


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of one frame that are to be restored."""

    planes: Planes
    windows: Sequence[FaceWindow]
    crops: Crops = field(repr=False)
    """uint8 RGB [N, 256, 256, 3], read from `windows`; not to be changed until the faces are pasted."""
    strengths: Sequence[float]
    """Share of each restoration that is added, 0 to 1."""
    neighbours: Sequence[Neighbours] = field(default=(), repr=False)
    """Of each face, for a network with a memory; () where no face has any."""

    @classmethod
    def read(cls, planes: Planes, windows: Sequence[FaceWindow], strengths: Sequence[float]) -> FrameFaces:
        """Read the crops of `windows` from a frame."""
        crops = np.empty((len(windows), CROP_SIZE, CROP_SIZE, 3), np.uint8)
        for n, window in enumerate(windows):
            crops[n] = crop(planes, window)
        return cls(planes, windows, crops, strengths)


@dataclass(frozen=True, eq=False)
class PasteOutcome:
    """Which faces of a frame were restored; the others are as they were."""

    finite: NDArray[np.bool_]
    """bool [N]: False where the network returned NaN or infinity."""
    in_time: NDArray[np.bool_]
    """bool [N]: False where a face was not ready by the deadline."""


class PendingFaces(Protocol):
    """The faces of a frame that an engine works on."""

    def paste(self, planes: Planes, deadline: float | None = None) -> PasteOutcome:
        """Wait for the faces and paste them.

        Args:
            planes: Planes of the frame that was submitted, or of a copy of it.
            deadline: Time (`time.monotonic`) after which the faces that are not ready are left as they are.

        Raises:
            EngineError: The engine failed; the planes are as they were.
        """

    def discard(self) -> None:
        """Give up faces that were not pasted, without waiting; those that the engine has not begun are left out."""


class Engine(Protocol):
    """Runs the deblurring network. Call it from one thread at a time."""

    @property
    def name(self) -> str:
        """Name as `open_engine` accepts it."""

    @property
    def reason(self) -> str:
        """Why this engine was chosen, and the device it runs on."""

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        """Restore crops and wait for them.

        Args:
            crops: uint8 RGB [N, 256, 256, 3], N >= 0.
            neighbours: Of each crop, for a network with a memory; () where no crop has any.

        Returns:
            Restored crops of the same shape; a crop for which the network returned NaN is returned unchanged.

        Raises:
            ValueError: Crops of another type or shape.
            EngineError: The engine failed.
        """

    def submit(self, faces: FrameFaces) -> PendingFaces:
        """Start on the faces of a frame; those of several frames may be in flight.

        Raises:
            EngineError: The engine failed.
        """

    def close(self) -> None:
        """Wait for what is in flight and free the device; what is submitted later is refused. Closing again does nothing."""


@dataclass(frozen=True, eq=False)
class RestoredBatch:
    """Crops as the network returned them."""

    crops: Crops
    """uint8 RGB [N, 256, 256, 3]; unchanged where `finite` or `in_time` is False."""
    finite: NDArray[np.bool_]
    """bool [N]: False where the network returned NaN or infinity."""
    in_time: NDArray[np.bool_]
    """bool [N]: False where a crop was not ready by the deadline."""


def checked_crops(crops: NDArray[Any]) -> Crops:
    """Return the crops C-contiguous.

    Raises:
        ValueError: They are not uint8 [N, 256, 256, 3].
    """
    if not isinstance(crops, np.ndarray):
        raise ValueError(f"Crops are an array, uint8 [N, {CROP_SIZE}, {CROP_SIZE}, 3] (got {type(crops).__name__}).")
    if crops.ndim != 4 or crops.shape[1:] != (CROP_SIZE, CROP_SIZE, 3) or crops.dtype != np.uint8:
        raise ValueError(f"Crops are uint8 [N, {CROP_SIZE}, {CROP_SIZE}, 3] (got {crops.dtype} {list(crops.shape)}).")
    return np.ascontiguousarray(crops)


class GraphEngine:
    """An engine on any `Graph`: crops are read and pasted on the CPU, one inference per crop."""

    def __init__(self, name: str, reason: str, graph: Graph) -> None:
        self.name = name
        self.reason = f"{reason} ({graph.description})"
        self._graph = graph

    def __repr__(self) -> str:
        return f"GraphEngine({self.name!r}, {self._graph.description!r})"

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        return self._submit(checked_crops(crops), neighbours).result().crops

    def submit(self, faces: FrameFaces) -> PendingFaces:
        return _PendingCrops(faces, self._submit(checked_crops(faces.crops), faces.neighbours))

    def _submit(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> _PendingBatch:
        pairs = zip(crops, neighbours or [()] * len(crops), strict=True)
        return _PendingBatch(crops, [self._graph.submit(crop, near) for crop, near in pairs])

    def close(self) -> None:
        self._graph.close()


class _PendingBatch:
    """The crops of a batch in flight, one future each."""

    def __init__(self, crops: Crops, futures: Sequence[Future[Tensors]]) -> None:
        self._crops, self._futures, self._process = crops, futures, os.getpid()

    def result(self, deadline: float | None = None) -> RestoredBatch:
        if self._process != os.getpid():
            # the threads that would finish them are in the other process
            raise EngineError("This process was forked while faces were being restored; they belong to the process before.")
        restored, finite, in_time = self._crops.copy(), *np.ones((2, len(self._crops)), np.bool_)
        for n, future in enumerate(self._futures):
            try:
                images = future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))[0]
            except TimeoutError:
                in_time[n] = False
                continue
            except Exception as error:
                # Each runtime raises types of its own when its device fails; callers handle one.
                raise EngineError(f"The engine failed on a crop: {error}") from error
            if images.shape != IMAGE_SHAPE:
                # The kernels index without bounds, and a file may leave the shape of its output open.
                raise EngineError(
                    f"The network returned {list(images.shape)} for a crop; {list(IMAGE_SHAPE)} is needed. "
                    "Give --network a network exported by streamdeblur."
                )
            quantise(images, restored[n : n + 1], finite[n : n + 1])
            if not finite[n]:
                restored[n] = self._crops[n]
        return RestoredBatch(restored, finite, in_time)

    def cancel(self) -> None:
        for future in self._futures:
            future.cancel()


class _PendingCrops:
    """The faces of a frame whose crops are in flight."""

    def __init__(self, faces: FrameFaces, batch: _PendingBatch) -> None:
        self._faces, self._batch = faces, batch

    def paste(self, planes: Planes, deadline: float | None = None) -> PasteOutcome:
        batch, faces = self._batch.result(deadline), self._faces
        usable = map(int, np.flatnonzero(batch.finite & batch.in_time))
        restored = [RestoredCrop(faces.windows[n], faces.crops[n], batch.crops[n], faces.strengths[n]) for n in usable]
        paste(planes, restored)
        return PasteOutcome(batch.finite, batch.in_time)

    def discard(self) -> None:
        self._batch.cancel()
