"""What both training loops share: where a run begins, its batches, and what happens after a step."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from streamdeblur.errors import TrainingError
from streamdeblur.training.batches import Batch, Batches
from streamdeblur.training.checkpoint import random_state, restore_random_state
from streamdeblur.training.config import StepSettings
from streamdeblur.training.datasets.sources import PairSource
from streamdeblur.training.memory import keep_freed_memory
from streamdeblur.training.progress import Pace
from streamdeblur.training.run import Run
from streamdeblur.training.trainer import Learner
from streamdeblur.training.validation import Validation


class Stateful(Protocol):
    """A network, an optimiser, an average."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Any) -> object: ...


@dataclass(frozen=True)
class Data:
    """What a training reads."""

    training: PairSource
    held_out: PairSource
    """Makes the pairs of the validation."""


def launch(settings: StepSettings, seed: int) -> Fabric:
    """Lightning Fabric for this process: a CPU, a GPU, or one of several that torchrun started."""
    keep_freed_memory()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    # networks without batch statistics have nothing to broadcast, the others keep those of each process
    strategy: Any = DDPStrategy(broadcast_buffers=False) if processes > 1 else "auto"
    devices: Any = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = processes // devices
    fabric = Fabric(accelerator="auto", strategy=strategy, devices=devices, num_nodes=nodes, precision=settings.precision)
    fabric.launch()
    fabric.seed_everything(seed, verbose=False)
    return fabric


class Loop:
    """Gives a run its batches from where it stopped, and keeps, validates and tells what was trained."""

    def __init__(self, fabric: Fabric, run: Run, settings: StepSettings, parts: Mapping[str, Stateful]) -> None:
        """`parts` are all that changes in training, by name; where the run was begun before, they take up its state."""
        self._fabric, self._run, self._settings, self._parts = fabric, run, settings, parts
        self._step = 0
        state = run.resume()
        if state is not None:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            restore_random_state(state["random"])
            self._step = state["images"] // settings.batch

    def steps(self, data: Data, predict: Callable[[], nn.Module]) -> Iterator[tuple[int, Batch]]:
        """The number of each step that is left, and its batch; after each step, keeps what is due.

        `predict` gives the network that is validated.
        """
        settings, fabric = self._settings, self._fabric
        batches = Batches(
            data.training.pair,
            size=settings.batch,
            crop=settings.crop,
            severity=settings.severity,
            first=self._step,
            rank=fabric.global_rank,
            processes=fabric.world_size,
        )
        validation = Validation(data.held_out, settings.validate_pairs) if self._run.writes else None
        self._pace = Pace(settings.images)
        try:
            for batch in batches:
                if self._step >= settings.steps:
                    break
                yield self._step, batch.to(fabric.device)
                self._step += 1
                last = self._step == settings.steps
                if last or self._run.is_due(settings.checkpoint_minutes):
                    self.save()
                if validation and (last or self._crossed(settings.validate_images)):
                    self._run.validated(*validation(predict()), self._step * settings.batch)
        except KeyboardInterrupt:
            self.save()
            raise
        finally:
            batches.close()

    def _crossed(self, interval: int) -> bool:
        seen = self._step * self._settings.batch
        return seen // interval > (seen - self._settings.batch) // interval

    def check(self, losses: Mapping[str, Tensor]) -> None:
        """Tell and keep the losses of a step, before anything is changed by them.

        Raises:
            TrainingError: one is not a number.
        """
        seen = self._step * self._settings.batch
        values = {name: loss.item() for name, loss in losses.items()}
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(
                f"Step {self._step}, after {seen:,} images: {', '.join(bad)} is not a number. The last good state is in "
                f"{self._run.checkpoint}; go on from it with a lower rate."
            )
        speed = self._pace.step(seen, next(iter(values.values())))
        if speed is not None:
            self._run.scalars({f"loss/{name}": value for name, value in values.items()} | {"images_per_second": speed}, seen)

    def save(self) -> None:
        """Keep the state of the run, unless a weight in it is not a number."""
        for part in self._parts.values():
            if isinstance(part, Learner) and not part.is_finite():
                raise TrainingError(
                    f"Step {self._step}: weights are not numbers any more. The last good state is in {self._run.checkpoint}."
                )
        state = {name: part.state_dict() for name, part in self._parts.items()}
        self._run.save({**state, "random": random_state(), "images": self._step * self._settings.batch})
