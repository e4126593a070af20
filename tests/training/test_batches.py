"""Batches are prefetched in order; each depends on its number alone."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from streamdeblur.training.batches import BatchLoader
from streamdeblur.training.blur.exposures import Pair


def make(index, severity, size, crop):
    """A pair whose values are its own number and severity."""
    return Pair(np.full((size, size, 3), round(100 * severity), np.uint8), np.full((size, size, 3), index, np.uint8), None, {})


def loader(**changes):
    settings = {"size": 4, "part": lambda number: 64, "crop": lambda number: 256, "severity": lambda number: number / 10}
    return BatchLoader(**({"make": make} | settings | changes))


def first(count, **changes):
    batches = loader(**changes)
    taken = list(islice(batches, count))
    batches.close()
    return taken


def numbers(batch):
    """The numbers of the pairs in a batch."""
    return (batch.sharp[:, 0, 0, 0] * 255).round().int().tolist()


def test_batches_come_in_order_with_their_severity():
    row = first(3)
    assert [numbers(batch) for batch in row] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [round(batch.blurry[0, 0, 0, 0].item() * 255) for batch in row] == [0, 10, 20]
    assert row[0].blurry.shape == (4, 3, 64, 64)
    assert row[0].blurry.is_contiguous(memory_format=torch.channels_last)


def test_small_crops_are_whole_where_large_ones_are_parts():
    sides = [batch.blurry.shape[-1] for batch in first(3, part=lambda number: 96, crop=lambda number: (256, 64, 128)[number])]
    assert sides == [96, 64, 96]


def test_a_batch_does_not_depend_on_those_before():
    late, early = first(1, first=2)[0], first(3)[2]
    assert torch.equal(late.sharp, early.sharp)


def test_processes_share_the_batches_of_one_process():
    halves = [first(2, rank=rank, processes=2) for rank in (0, 1)]
    whole = first(2)
    for n in range(2):
        assert sorted(numbers(halves[0][n]) + numbers(halves[1][n])) == numbers(whole[n])
        merged = torch.stack([halves[0][n].sharp, halves[1][n].sharp], dim=1).flatten(0, 1)
        assert torch.equal(merged, whole[n].sharp)
    with pytest.raises(ValueError, match="cannot be shared"):
        loader(processes=3)


def test_an_error_in_the_background_is_raised():
    def fail(index, severity, size, crop):
        raise OSError("no such clip")

    batches = loader(make=fail)
    with pytest.raises(OSError, match="no such clip"):
        next(iter(batches))
    batches.close()
