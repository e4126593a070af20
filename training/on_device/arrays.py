"""Small arrays that go from the CPU to a device, and groups of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


def floats(values: Sequence[float] | Sequence[Sequence[float]], device: torch.device) -> Tensor:
    """Return numbers on a device, float32."""
    return torch.tensor(values, dtype=torch.float32, device=device)


def column(values: Sequence[int], device: torch.device) -> Tensor:
    """Return integers on a device: int64 [N, 1]."""
    return torch.tensor(values, dtype=torch.int64, device=device)[:, None]


def chosen(flags: Iterable[object], device: torch.device) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the numbers of the flags that are set, as a list and as int64 [n]; nothing where none is."""
    numbers = [number for number, flag in enumerate(flags) if flag]
    if numbers:
        yield numbers, torch.tensor(numbers, device=device)


def in_parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut a sequence into parts of at most `size` items."""
    return (items[begin : begin + size] for begin in range(0, len(items), size))
