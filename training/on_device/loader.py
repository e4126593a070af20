"""Batches drawn on a device beside the training: planned by threads of the CPU, drawn by one more in a stream of its own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from streamdeblur.cores import usable_cores
from streamdeblur.training.batches import Batch, BatchLoader
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.on_device.batches import Plan, open_drawer

MOST_PLANNERS = 8
"""Threads that plan; more of them would wait for the interpreter."""
SHARE = 0.5
"""Part of the free memory of a card that stills and clips may take."""
MEMORY_ON_CPU = 1 << 31
"""Bytes that they may take where the device is the CPU."""


class DrawnBatchLoader(BatchLoader):
    """A `BatchLoader` whose batches are drawn on a device, and already lie there."""

    def __init__(self, maker: PairMaker, device: torch.device, **schedule: Any) -> None:
        """
        Args:
            maker: It plans the pairs, or the sequences.
            device: What draws them.
            **schedule: As for `BatchLoader`, without `make`.

        Raises:
            OptionError: The pixels of one batch do not fit on the device, when it is drawn.
        """
        self._drawer = open_drawer(maker, _memory(device), device)
        super().__init__(make=maker.sample, **schedule)
        self._planning = ThreadPoolExecutor(max(1, min(MOST_PLANNERS, usable_cores() - 1)), thread_name_prefix="plans")
        self._drawing = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def _submit(self, number: int) -> Future[Batch]:
        severity, size, crop = self.settings(number)
        plans = [self._planning.submit(self._drawer.plan, index, severity, size, crop) for index in self.indices(number)]
        return self._drawing.submit(self._draw, plans, crop)

    def _draw(self, plans: list[Future[Plan]], crop: int) -> Batch:
        planned = [plan.result() for plan in plans]
        # without a stream this does nothing
        with torch.no_grad(), torch.cuda.stream(self._stream):
            batch = self._drawer.draw(planned, crop)
        if self._stream is not None:
            # the training never meets a batch that is still being drawn; other threads go on meanwhile
            self._stream.synchronize()
        return batch

    def _taken(self, batch: Batch) -> Batch:
        if self._stream is not None:
            for tensor in batch.tensors:
                tensor.record_stream(torch.cuda.current_stream(tensor.device))
        return batch

    def batch(self, number: int) -> Batch:
        """Return this process's part of one batch."""
        return self._submit(number).result()

    def close(self) -> None:
        """End the background threads."""
        for pool in (self._planning, self._drawing):
            pool.shutdown(wait=True, cancel_futures=True)
        super().close()


def _memory(device: torch.device) -> int:
    if device.type != "cuda":
        return MEMORY_ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    return int(SHARE * free)
