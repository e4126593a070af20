"""Batches of pairs, made in background threads while the network trains on earlier ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamdeblur.cores import usable_cores
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.sequences import ExposureSequence
from streamdeblur.training.blur.trajectories import SIZE
from streamdeblur.training.networks.deconvolution import Memory, half_luma

Sample = Pair | ExposureSequence
Made = TypeVar("Made")
MakeSample = Callable[[int, float, int, int], Sample]
"""Makes the pair or the sequence of an index, at a severity in [0, 1]: the part of a size in pixels of a crop of another size. It
depends on nothing else."""

PREFETCHED_BATCHES = 4
WORKERS = 2


@dataclass(frozen=True)
class Batch:
    """Pairs as tensors."""

    blurry: Tensor
    """float32 [N, 3, S, S], RGB in [0, 1], channels last in memory."""
    sharp: Tensor
    """The sharp images, in the same form."""
    kernels: Tensor
    """float32 [N, 1 + M, 41, 41]: the kernels that blurred the crops and the M earlier ones; zero where the blur is not one."""
    memory: Memory | None = None
    """The M earlier crops of sequences, the latest first; None for pairs."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        memory = None if self.memory is None else Memory(*(tensor.to(device) for tensor in self.memory))
        return Batch(self.blurry.to(device), self.sharp.to(device), self.kernels.to(device), memory)

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors of the batch."""
        return [self.blurry, self.sharp, self.kernels, *(self.memory or ())]


def _images(arrays: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float().div_(255)


def collate(samples: Sequence[Sample]) -> Batch:
    """Collect pairs of one size, or sequences of one size and length, in a batch on the CPU."""
    if isinstance(samples[0], ExposureSequence):
        return _collate_sequences(cast(Sequence[ExposureSequence], samples))
    pairs = cast(Sequence[Pair], samples)
    unknown = np.zeros((SIZE, SIZE), np.float32)
    kernels = np.stack([unknown if pair.kernel is None else pair.kernel for pair in pairs])
    return Batch(
        _images([pair.blurry for pair in pairs]), _images([pair.sharp for pair in pairs]), torch.from_numpy(kernels)[:, None]
    )


def _collate_sequences(sequences: Sequence[ExposureSequence]) -> Batch:
    """The present crops, which are the last of each sequence, and the others as their memory."""
    return sequence_batch(
        torch.from_numpy(np.stack([sequence.blurry for sequence in sequences])).permute(0, 1, 4, 2, 3).float().div_(255),
        _images([sequence.sharp for sequence in sequences]),
        torch.from_numpy(np.stack([sequence.kernels for sequence in sequences])),
        torch.from_numpy(np.stack([sequence.validity for sequence in sequences])),
    )


def sequence_batch(exposures: Tensor, sharp: Tensor, kernels: Tensor, validity: Tensor) -> Batch:
    """Return sequences, the present exposure last, as a batch.

    Args:
        exposures: float32 [N, exposures, 3, S, S] in [0, 1].
        sharp: float32 [N, 3, S, S] in [0, 1].
        kernels: float32 [N, exposures, 41, 41].
        validity: bool [N, exposures].
    """
    count = len(exposures)
    earlier = exposures[:, :-1].flip(1)
    luma = torch.unflatten(half_luma(earlier.flatten(0, 1)), 0, (count, -1))
    return Batch(
        exposures[:, -1].contiguous(memory_format=torch.channels_last),
        sharp,
        kernels.flip(1).contiguous(),
        Memory(luma[:, :, 0], validity[:, :-1].flip(1).float()),
    )


def made_ahead(submit: Callable[[int], Future[Made]], first: int) -> Iterator[Made]:
    """Yield what has each number from the first one on, endlessly; some of it is made ahead.

    Args:
        submit: Begins what has a number in the background.
        first: The first number.
    """
    pending: deque[Future[Made]] = deque()
    try:
        for number in count(first):
            pending.append(submit(number))
            if len(pending) == PREFETCHED_BATCHES:
                yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


class BatchLoader:
    """An endless iterator over batches. Batch n holds the pairs n * size to (n + 1) * size - 1, whatever was read before.

    Of several processes, each makes its own part of every batch; together the parts are the batch of one process.
    """

    def __init__(
        self,
        make: MakeSample,
        *,
        size: int,
        part: Callable[[int], int],
        crop: Callable[[int], int],
        severity: Callable[[int], float],
        first: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """
        Args:
            make: Makes one pair; called in several threads.
            size: Pairs per batch, over all processes.
            part: Side of the pairs in pixels, where they are parts of a crop that is larger, of a batch by its number.
            crop: Side of the crops of whole faces in pixels, of a batch by its number.
            severity: Severity of a batch in [0, 1] by its number.
            first: Number of the first batch.
            rank: Number of this process.
            processes: Number of processes.

        Raises:
            ValueError: `size` is not a multiple of `processes`.
        """
        if size % processes:
            raise ValueError(f"A batch of {size} cannot be shared by {processes} processes.")
        self._make, self._size, self._part, self._crop, self._severity = make, size, part, crop, severity
        self._rank, self._processes = rank, processes
        self._pool = ThreadPoolExecutor(min(WORKERS, usable_cores()), thread_name_prefix="pairs")
        self._ahead = made_ahead(self._submit, first)

    def __iter__(self) -> Iterator[Batch]:
        return map(self._taken, self._ahead)

    def _submit(self, number: int) -> Future[Batch]:
        """Begin a batch in the background."""
        return self._pool.submit(self.batch, number)

    def _taken(self, batch: Batch) -> Batch:
        """A batch that is given to the training."""
        return batch

    def indices(self, number: int) -> range:
        """Return the numbers of the pairs of this process's part of a batch."""
        return range(number * self._size + self._rank, (number + 1) * self._size, self._processes)

    def settings(self, number: int) -> tuple[float, int, int]:
        """Return severity, side of the pairs and side of the crops of whole faces of a batch."""
        crop = self._crop(number)
        return self._severity(number), min(self._part(number), crop), crop

    def batch(self, number: int) -> Batch:
        """Return this process's part of one batch."""
        return collate([self._make(index, *self.settings(number)) for index in self.indices(number)])

    def close(self) -> None:
        """End the background threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
