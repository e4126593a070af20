"""What both training loops share: the start of a process, the batches, and what happens after each step."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from streamdeblur.cores import usable_cores, work_beside
from streamdeblur.errors import TrainingError
from streamdeblur.training.allocator import keep_freed_memory
from streamdeblur.training.batches import Batch, BatchLoader, MakeSample
from streamdeblur.training.checkpoint import State, random_state, restore_random_state
from streamdeblur.training.config import Precision, StepSettings
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.ema import EMA, Network
from streamdeblur.training.machine import Machine
from streamdeblur.training.on_device.loader import DrawnBatchLoader
from streamdeblur.training.progress import ProgressLog
from streamdeblur.training.run import TrainingRun
from streamdeblur.training.stop_request import StopRequest
from streamdeblur.training.trainer import Trainer
from streamdeblur.training.validation import Validation

logger = logging.getLogger(__name__)


class Stateful(Protocol):
    """What a checkpoint holds the state of: a module, a `Trainer`, an `EMA`."""

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State, /) -> object: ...


@dataclass(frozen=True)
class TrainingData:
    """The pairs, or sequences, of one step."""

    training: MakeSample
    """Makes those to train on."""
    held_out: MakeSample
    """Makes those of the validation."""
    maker: PairMaker | None = None
    """What plans those to train on, where a device can draw them; None where they are read from files."""


class ComputesIn(Protocol):
    """Settings that name a precision."""

    @property
    def precision(self) -> Precision:
        """As Lightning Fabric names it."""


def launch_fabric(settings: ComputesIn, seed: int, machine: Machine | None = None) -> Fabric:
    """Start Lightning Fabric in this process: on a CPU, on a GPU, or as one of several processes that torchrun started.

    Args:
        settings: Of the training, for its precision.
        seed: Of all random number generators.
        machine: Which device; None for a GPU if there is one.

    Raises:
        OptionError: Several processes were told to take one card.
    """
    machine = machine or Machine()
    keep_freed_memory()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local_processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    work_beside(local_processes)
    # PyTorch knows the affinity of a process, and not the limits of a container
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    # networks without batch statistics have nothing to broadcast, the others keep those of each process
    strategy = DDPStrategy(broadcast_buffers=False) if processes > 1 else "auto"
    fabric = Fabric(
        accelerator=machine.accelerator,
        strategy=strategy,
        devices=machine.devices(local_processes),
        num_nodes=processes // local_processes,
        precision=settings.precision,
    )
    fabric.launch()
    # crops of one size over and over: the fastest algorithms are found once
    torch.backends.cudnn.benchmark = fabric.device.type == "cuda"
    # cards round what they convolve to TF32 unless they are told not to
    torch.backends.cudnn.allow_tf32 = settings.precision != "32-true"
    fabric.seed_everything(seed, verbose=False)
    return fabric


class LossReader:
    """Reads losses. Those of a card are read a step later, so that it never waits for the CPU.

    What a loss that is not finite then has done to the weights is not saved, since `TrainingLoop.save` checks them.
    """

    def __init__(self, *, late: bool) -> None:
        """
        Args:
            late: Whether losses are those of the step before.
        """
        self._late = late
        self._before: dict[tuple[str, ...], tuple[Tensor, torch.cuda.Event | None]] = {}

    def read(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Return scalars by name as numbers; none where there is no step before."""
        names = tuple(losses)
        values = torch.stack([loss.detach().float() for loss in losses.values()])
        if not self._late:
            return dict(zip(names, values.tolist(), strict=True))
        copied = torch.cuda.Event() if values.is_cuda else None  # type: ignore[no-untyped-call]
        on_cpu = values.to("cpu", non_blocking=True)
        if copied is not None:
            copied.record()
        before = self._before.get(names)
        self._before[names] = on_cpu, copied
        if before is None:
            return {}
        values, arrived = before
        if arrived is not None:
            arrived.synchronize()
        return dict(zip(names, values.tolist(), strict=True))


class TrainingLoop:
    """Gives a run its batches from where it stopped; logs, validates and saves what was trained."""

    def __init__(
        self,
        fabric: Fabric,
        run: TrainingRun,
        settings: StepSettings,
        parts: Mapping[str, Stateful],
        machine: Machine | None = None,
    ) -> None:
        """
        Args:
            fabric: Of this process.
            run: Where the state and the log are kept.
            settings: Of the step.
            parts: All that training changes, by its name in the checkpoint. Restored here if the run has a checkpoint.
            machine: What makes the pairs; None for the default.
        """
        self._fabric, self._run, self._settings, self._parts = fabric, run, settings, parts
        self._machine, self._losses = machine or Machine(), LossReader(late=fabric.device.type == "cuda")
        self._progress = ProgressLog(settings.images)
        self._step = 0
        state = run.resume()
        if state is not None:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            restore_random_state(state["random"])
            self._step = state["images"] // settings.batch

    @property
    def _images(self) -> int:
        """Images that were trained on so far."""
        return self._step * self._settings.batch

    def steps(self, data: TrainingData, network_for_prediction: Callable[[], nn.Module]) -> Iterator[tuple[int, Batch]]:
        """Yield each remaining step; after it was trained, save and validate if that is due.

        Args:
            data: The pairs.
            network_for_prediction: Returns the network to validate.

        Yields:
            The number of the step, from 0, and its batch on Fabric's device.

        Raises:
            KeyboardInterrupt: The process was told to stop; the step was finished and saved.
        """
        settings = self._settings
        validation = Validation(data.held_out, settings.validate_pairs, list(settings.face_crops)) if self._run.writes else None
        batches = self._load(data)
        try:
            with StopRequest() as stop:
                for batch in batches:
                    if self._step >= settings.steps:
                        break
                    yield self._step, batch.to(self._fabric.device)
                    self._step += 1
                    last = self._step == settings.steps
                    stopped = self._any_process(stop.received)
                    if last or stopped or self._run.checkpoint_is_due(settings.checkpoint_minutes):
                        self.save()
                    if validation and (last or self._crossed(settings.validate_images)):
                        self._run.log_validation(*validation(network_for_prediction()), self._images)
                    if stopped and not last:
                        logger.info("Stopped after %s of %s images.", f"{self._images:,}", f"{settings.images:,}")
                        stop.deliver()
        finally:
            batches.close()

    def keep_statistics_if_due(self, network: nn.Module, ema: EMA[Network]) -> None:
        """Make batch normalisation use its running statistics, as predictions do, from the fraction of the run that is set on.

        They are those of the EMA of the first process, which from then on stay as they are. Statistics of a batch change what a
        network makes of one image with the others of its batch; of a network that draws images anew that limits how well it
        learns their colours (Wu & Johnson 2021, "Rethinking Batch in BatchNorm", Sec. 4).

        Args:
            network: What is trained.
            ema: Its average.
        """
        if not self._settings.keeps_statistics(self._step):
            return
        for layer, average in zip(network.modules(), ema.network.modules(), strict=True):
            if isinstance(layer, nn.BatchNorm2d) and layer.training:
                for name in ("running_mean", "running_var"):
                    kept = average.get_buffer(name)
                    kept.copy_(self._fabric.broadcast(kept))
                    layer.get_buffer(name).copy_(kept)
                layer.eval()

    def _any_process(self, stopped: bool) -> bool:
        """Whether any of the processes is to stop: all of them end with the same step."""
        if self._fabric.world_size == 1:
            return stopped
        told = torch.tensor(float(stopped), device=self._fabric.device)
        return bool(self._fabric.all_reduce(told, reduce_op="sum"))

    def _load(self, data: TrainingData) -> BatchLoader:
        schedule: dict[str, Any] = {
            "size": self._settings.batch,
            "part": self._settings.part,
            "crop": self._settings.face_crop,
            "severity": self._settings.severity,
            "first": self._step,
            "rank": self._fabric.global_rank,
            "processes": self._fabric.world_size,
        }
        if data.maker is not None and self._machine.draws(self._fabric.device):
            return DrawnBatchLoader(data.maker, self._fabric.device, **schedule)
        return BatchLoader(data.training, **schedule)

    def _crossed(self, interval: int) -> bool:
        """Whether the last step reached or passed a multiple of `interval` images."""
        return self._images // interval > (self._images - self._settings.batch) // interval

    def record(self, losses: Mapping[str, Tensor]) -> None:
        """Check and log the losses of a step, before they change any weight; on a card a step later, see `LossReader`.

        Args:
            losses: Scalars by name; the first one is shown in the progress line.

        Raises:
            TrainingError: A loss is NaN or infinite.
        """
        values = self.check(losses)
        if not values:
            return
        speed = self._progress.update(self._images, next(iter(values.values())))
        if speed is not None:
            scalars = {f"loss/{name}": value for name, value in values.items()}
            self._run.log_scalars(scalars | {"images_per_second": speed}, self._images)

    def check(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the losses as numbers; on a card those of the step before, none in the first one.

        Raises:
            TrainingError: A loss is NaN or infinite.
        """
        values = self._losses.read(losses)
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(
                f"Step {self._step}, after {self._images:,} images: the loss is not finite ({', '.join(bad)}). "
                f"The last good state is in {self._run.checkpoint}: give it as --init to a run with a lower rate."
            )
        return values

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            TrainingError: A trained weight is NaN or infinite; the former checkpoint stays.
            OutputError: The checkpoint cannot be written.
        """
        for part in self._parts.values():
            if isinstance(part, Trainer) and not part.is_finite():
                raise TrainingError(
                    f"Step {self._step}: weights are not finite. The last good state is in {self._run.checkpoint}."
                )
        state = {name: part.state_dict() for name, part in self._parts.items()}
        self._run.save({**state, "random": random_state(), "images": self._images})
