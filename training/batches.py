"""Batches of pairs, made in background threads while the network trains on the ones before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.datasets.recipe import Pair

MakePair = Callable[[int, float, int], Pair]
"""The pair of an index, at a severity of 0 to 1 and of a size in pixels; depends on nothing else."""

BATCHES_AHEAD = 4
WORKERS = 2


@dataclass(frozen=True)
class Batch:
    """Pairs as tensors."""

    blurry: Tensor
    """float32 [N, 3, S, S], RGB in [0, 1], channels last in memory."""
    sharp: Tensor
    """The same of the sharp images."""
    kernels: Tensor
    """float32 [N, 41, 41]: the kernels that blurred the crops; zero where the blur is not one kernel."""

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        return Batch(self.blurry.to(device), self.sharp.to(device), self.kernels.to(device))


def collate(pairs: list[Pair]) -> Batch:
    """Pairs of one size as a batch."""

    def images(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float().div_(255)

    unknown = np.zeros((SIZE, SIZE), np.float32)
    kernels = np.stack([unknown if pair.kernel is None else pair.kernel for pair in pairs])
    return Batch(images([pair.blurry for pair in pairs]), images([pair.sharp for pair in pairs]), torch.from_numpy(kernels))


class Batches:
    """An endless row of batches; batch n holds the pairs n * size to (n + 1) * size - 1, whatever was read before.

    With several processes each has its share of every batch, so that together they see what one would.
    """

    def __init__(
        self,
        make: MakePair,
        *,
        size: int,
        crop: int,
        severity: Callable[[int], float],
        first: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """`severity` is that of a batch by its number; `first` is the number of the batch to begin with."""
        if size % processes:
            raise ValueError(f"A batch of {size} cannot be shared by {processes} processes.")
        self._make, self._size, self._crop, self._severity = make, size, crop, severity
        self._rank, self._processes = rank, processes
        self._number = first
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="pairs")
        self._ahead: deque[Future[Batch]] = deque()

    def __iter__(self) -> Iterator[Batch]:
        while True:
            while len(self._ahead) < BATCHES_AHEAD:
                self._ahead.append(self._pool.submit(self.batch, self._number))
                self._number += 1
            yield self._ahead.popleft().result()

    def batch(self, number: int) -> Batch:
        """This process's share of one batch."""
        indices = range(number * self._size + self._rank, (number + 1) * self._size, self._processes)
        return collate([self._make(index, self._severity(number), self._crop) for index in indices])

    def close(self) -> None:
        """End the background threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
