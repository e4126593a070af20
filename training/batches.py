"""Batches of pairs, made in background threads while the network trains on the ones before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamdeblur.training.data.recipe import Pair

MakePair = Callable[[int, float], Pair]
"""The pair of an index, at a severity of 0 to 1; depends on nothing else."""

BATCHES_AHEAD = 4
WORKERS = 2


@dataclass(frozen=True)
class Batch:
    """Pairs as tensors."""

    blurry: Tensor
    """float32 [N, 3, S, S], RGB in [0, 1], channels last in memory."""
    sharp: Tensor
    """The same of the sharp images."""

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        return Batch(self.blurry.to(device), self.sharp.to(device))


def collate(pairs: list[Pair]) -> Batch:
    """Pairs of one size as a batch."""

    def images(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float().div_(255)

    return Batch(images([pair.blurry for pair in pairs]), images([pair.sharp for pair in pairs]))


def cut(pair: Pair, size: int, random: np.random.Generator) -> Pair:
    """A random square of both images, `size` pixels wide."""
    room = pair.sharp.shape[0] - size
    if room <= 0:
        return pair
    top, left = random.integers(0, room + 1, 2)
    part = (slice(top, top + size), slice(left, left + size))
    return Pair(pair.blurry[part], pair.sharp[part], pair.kernel, pair.record)


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
        seed: int,
        first: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """`severity` is that of a batch by its number; `first` is the number of the batch to begin with."""
        if size % processes:
            raise ValueError(f"A batch of {size} cannot be shared by {processes} processes.")
        self._make, self._size, self._crop, self._severity, self._seed = make, size, crop, severity, seed
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
        return collate([self._pair(index, self._severity(number)) for index in indices])

    def _pair(self, index: int, severity: float) -> Pair:
        return cut(self._make(index, severity), self._crop, np.random.default_rng((self._seed, index)))

    def close(self) -> None:
        """End the background threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
