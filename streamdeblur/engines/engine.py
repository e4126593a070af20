"""The `Engine` protocol, and the engine that compiled graphs of the deblurring network become."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamdeblur.engines.graph import Tensors
from streamdeblur.engines.sized_graphs import SizedGraphs
from streamdeblur.errors import EngineError
from streamdeblur.faces.neighbours import Neighbours
from streamdeblur.faces.reading import HOST, CropReader, HostCrop, ReadCrop
from streamdeblur.faces.window import CROP_SIZE, FaceWindow, RestoredCrop, crop, paste
from streamdeblur.kernels.tensors import quantise
from streamdeblur.video.planes import Planes

Crops = NDArray[np.uint8]
"""uint8 RGB [N, S, S, 3], of a size that the engine takes."""


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of one frame that are to be restored."""

    planes: Planes
    windows: Sequence[FaceWindow]
    crops: Sequence[NDArray[np.uint8] | ReadCrop] = field(repr=False)
    """Of each face, read from `windows`, as uint8 RGB [S, S, 3] or by an engine's `reader`, each of a size that the engine takes;
    not to be changed until the faces are pasted."""
    strengths: Sequence[float]
    """Share of each restoration that is added, 0 to 1."""
    neighbours: Sequence[Neighbours] = field(default=(), repr=False)
    """Of each face, for a network with a memory; () where no face has any."""

    @classmethod
    def read(cls, planes: Planes, windows: Sequence[FaceWindow], strengths: Sequence[float]) -> FrameFaces:
        """Read the crops of `windows`, of 256 px, from a frame."""
        return cls(planes, windows, [crop(planes, window) for window in windows], strengths)

    def crops_on_host(self) -> list[NDArray[np.uint8]]:
        """Return the crops as uint8 RGB [S, S, 3]. One on a device, which may have failed, is read from the frame again."""
        return [
            one.read if isinstance(one, HostCrop) else one if isinstance(one, np.ndarray) else crop(self.planes, window, one.size)
            for one, window in zip(self.crops, self.windows, strict=True)
        ]

    def neighbours_on_host(self) -> list[Neighbours]:
        """Return the neighbours of each face as arrays, without those that are lost with a device that has failed."""
        return [list(_on_host(near)) for near in self.neighbours]


def _on_host(neighbours: Neighbours) -> Iterator[NDArray[np.float32]]:
    for luma in neighbours:
        with suppress(EngineError):
            yield luma if isinstance(luma, np.ndarray) else luma.to_host()


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

    @property
    def crop_sizes(self) -> tuple[int, ...]:
        """Sides in pixels of the crops that it takes, smallest first; 256 is one of them."""

    @property
    def parallel(self) -> int:
        """Number of crops that it computes at the same time, each in the time of one."""

    @property
    def reader(self) -> CropReader:
        """What reads the crops of the frames whose faces it is given, to where they are of most use to it."""

    def warm_up(self) -> None:
        """Open and run everything that would else be opened for the first crop of a size, which would then be late.

        Raises:
            EngineError, NetworkError: The engine cannot run crops of a size.
        """

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        """Restore crops and wait for them.

        Args:
            crops: uint8 RGB [N, S, S, 3], N >= 0, of one of `crop_sizes`.
            neighbours: Of each crop, for a network with a memory; () where no crop has any.

        Returns:
            Restored crops of the same shape; a crop for which the network returned NaN is returned unchanged.

        Raises:
            ValueError: Crops of another type or shape.
            EngineError, NetworkError: The engine failed, or cannot run crops of this size.
        """

    def submit(self, faces: FrameFaces) -> PendingFaces:
        """Start on the faces of a frame; those of several frames may be in flight.

        Raises:
            ValueError: Crops of another type or shape.
            EngineError, NetworkError: The engine failed, or cannot run crops of a size.
        """

    def close(self) -> None:
        """Wait for what is in flight and free the device; what is submitted later is refused. Closing again does nothing."""


def image_shape(size: int) -> tuple[int, ...]:
    """Return the shape of what the network returns for a crop of a size."""
    return 1, 3, size, size


def checked_crops(crops: NDArray[Any], sizes: Sequence[int] = (CROP_SIZE,)) -> Crops:
    """Return the crops C-contiguous.

    Args:
        crops: The crops.
        sizes: Sides that they may have.

    Raises:
        ValueError: They are not uint8 [N, S, S, 3].
    """
    if not isinstance(crops, np.ndarray):
        raise ValueError(f"Crops are an array, uint8 {_shapes(sizes)} (got {type(crops).__name__}).")
    if crops.ndim != 4 or crops.dtype != np.uint8 or crops.shape[1] not in sizes or crops.shape[2:] != (crops.shape[1], 3):
        raise ValueError(f"Crops are uint8 {_shapes(sizes)} (got {crops.dtype} {list(crops.shape)}).")
    return np.ascontiguousarray(crops)


def _shapes(sizes: Sequence[int]) -> str:
    return " or ".join(f"[N, {size}, {size}, 3]" for size in sizes)


class GraphEngine:
    """An engine on graphs, one for each size of crops, which are read and pasted on the CPU; one inference per crop."""

    reader: CropReader = HOST

    def __init__(self, name: str, reason: str, graphs: SizedGraphs) -> None:
        self.name = name
        self.reason = f"{reason} ({graphs.description})"
        self.crop_sizes, self.parallel = graphs.sizes, graphs.parallel
        self._graphs = graphs

    def __repr__(self) -> str:
        return f"GraphEngine({self.name!r}, {self._graphs.description!r})"

    def warm_up(self) -> None:
        for size in self.crop_sizes:
            self.infer(np.zeros((1, size, size, 3), np.uint8))

    def infer(self, crops: Crops, neighbours: Sequence[Neighbours] = ()) -> Crops:
        crops = checked_crops(crops, self.crop_sizes)
        restored = np.empty_like(crops)
        self._submit(list(crops), neighbours).write(list(restored))
        return restored

    def submit(self, faces: FrameFaces) -> PendingFaces:
        crops = [checked_crops(one[None], self.crop_sizes)[0] for one in faces.crops_on_host()]
        return _PendingCrops(faces, crops, self._submit(crops, faces.neighbours_on_host()))

    def _submit(self, crops: Sequence[NDArray[np.uint8]], neighbours: Sequence[Neighbours]) -> _PendingBatch:
        neighbours = neighbours or [()] * len(crops)
        # those of one size after each other, the largest first, so that graphs take turns as rarely as possible
        order = sorted(range(len(crops)), key=lambda n: -len(crops[n]))
        futures = {n: self._graphs.submit(crops[n], neighbours[n]) for n in order}
        return _PendingBatch(crops, [futures[n] for n in range(len(crops))])

    def close(self) -> None:
        self._graphs.close()


class _PendingBatch:
    """The crops of a batch in flight, one future each."""

    def __init__(self, crops: Sequence[NDArray[np.uint8]], futures: Sequence[Future[Tensors]]) -> None:
        self._crops, self._futures, self._process = crops, futures, os.getpid()

    def write(self, restored: Sequence[NDArray[np.uint8]], deadline: float | None = None) -> PasteOutcome:
        """Wait for the crops and write them; one that is not finite is written unchanged, one that is late not at all.

        Args:
            restored: uint8 RGB [S, S, 3] for each crop.
            deadline: Time (`time.monotonic`) after which those that are not ready are late.
        """
        if self._process != os.getpid():
            # the threads that would finish them are in the other process
            raise EngineError("This process was forked while faces were being restored; they belong to the process before.")
        finite, in_time = np.ones((2, len(self._crops)), np.bool_)
        for n, future in enumerate(self._futures):
            try:
                images = future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))[0]
            except TimeoutError:
                in_time[n] = False
                # where it has not begun, it does not keep the next frame waiting
                future.cancel()
                continue
            except Exception as error:
                # Each runtime raises types of its own when its device fails; callers handle one.
                raise EngineError(f"The engine failed on a crop: {error}") from error
            needed = image_shape(len(self._crops[n]))
            if images.shape != needed:
                # The kernels index without bounds, and a file may leave the shape of its output open.
                raise EngineError(
                    f"The network returned {list(images.shape)} for a crop; {list(needed)} is needed. "
                    "Give --network a network exported by streamdeblur."
                )
            quantise(images, restored[n][None], finite[n : n + 1])
            if not finite[n]:
                restored[n][:] = self._crops[n]
        return PasteOutcome(finite, in_time)

    def cancel(self) -> None:
        for future in self._futures:
            future.cancel()


class _PendingCrops:
    """The faces of a frame whose crops are in flight."""

    def __init__(self, faces: FrameFaces, crops: Sequence[NDArray[np.uint8]], batch: _PendingBatch) -> None:
        self._faces, self._crops, self._batch = faces, crops, batch

    def paste(self, planes: Planes, deadline: float | None = None) -> PasteOutcome:
        crops, faces, restored = self._crops, self._faces, [np.empty_like(one) for one in self._crops]
        outcome = self._batch.write(restored, deadline)
        usable = map(int, np.flatnonzero(outcome.finite & outcome.in_time))
        paste(planes, [RestoredCrop(faces.windows[n], crops[n], restored[n], faces.strengths[n]) for n in usable])
        return outcome

    def discard(self) -> None:
        self._batch.cancel()
