"""What a compared method is to the loop that trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from streamdeblur.training.batches import Batch
from streamdeblur.training.loop import Stateful
from streamdeblur.training.networks.compared.network import Generator

Losses = dict[str, Tensor]
"""Scalars by name."""
Check = Callable[[Mapping[str, Tensor]], object]
"""Refuses losses that are not finite, before they change any weight; see `TrainingLoop.check`."""


class ComparedMethod(Protocol):
    """The networks of a method, its optimisers, and what it minimises."""

    @property
    def generator(self) -> Generator:
        """What restores; its average is validated and exported."""
        ...

    @property
    def parts(self) -> dict[str, Stateful]:
        """All that training changes, by its name in the checkpoint."""
        ...

    def step(self, batch: Batch, number: int, check: Check) -> Losses:
        """Change all weights once, or as often as the method does for one batch.

        Args:
            batch: Blurry and sharp crops.
            number: Number of the step, from 0.
            check: Called with the losses before each change.

        Returns:
            The losses, that of what restores first.
        """
        ...
