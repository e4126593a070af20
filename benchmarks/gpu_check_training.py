"""Part of gpu_check.py: pairs per second that a device draws, and images per second of trainings, compiled ones, too."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from gpu_check import photograph

from streamdeblur.training.batches import Batch, collate
from streamdeblur.training.cgan import build_pathways
from streamdeblur.training.config import TrainingConfig
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.sequence_maker import SequenceMaker
from streamdeblur.training.loop import launch_fabric
from streamdeblur.training.machine import Machine
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.objectives import generator_losses, hourglass_loss
from streamdeblur.training.on_device.batches import open_drawer
from streamdeblur.training.on_device.loader import DrawnBatchLoader
from streamdeblur.training.trainer import Trainer
from streamdeblur.weights import network_path
from support.media.motion import panned, steady

if TYPE_CHECKING:
    from gpu_check import Check

SECONDS = 4.0
"""Of each measurement."""
BATCHES = (16, 64, 256)
TINY = {"widths": (8, 8, 8), "encoder_blocks": (1, 1, 1), "decoder_blocks": (1, 1), "code": 8}


Step = Callable[[Batch], None]


class MakeStep(Protocol):
    """Builds the step of a training."""

    def __call__(self, bench: Bench, *, compiled: bool) -> Step: ...


class Bench:
    """Makers of pairs and sequences, and steps of trainings, on one device."""

    def __init__(self, check: Check) -> None:
        self.cpu = check.cpu
        self.machine = Machine("cpu" if check.cpu else "cuda:0", pairs="device")
        picture = photograph(check)
        self.stills = [np.ascontiguousarray(picture[y : y + 256, x : x + 256]) for y in (100, 300) for x in range(0, 900, 150)]
        self.clips = [panned(picture, steady(step, 41), (300, 300)) for step in (1, 2, 3)]
        self.seconds = 0.0 if check.cpu else SECONDS
        self.size = 64 if check.cpu else 192

    def maker(self, config: TrainingConfig, memory: int = 0) -> PairMaker:
        """What plans pairs of a recipe, or sequences."""
        recipe = config.recipe_of(config.hourglass if not memory and self.cpu else config.cgan)
        if memory:
            return SequenceMaker(self.stills, self.clips, recipe, memory=memory)
        return PairMaker(self.stills, self.clips, recipe)

    def loader(self, maker: PairMaker, batch: int) -> DrawnBatchLoader:
        device = torch.device(self.machine.device)
        return DrawnBatchLoader(
            maker, device, size=batch, part=lambda number: self.size, crop=lambda number: 256, severity=lambda number: 1.0
        )

    def per_second(self, step: Callable[[], object], images: int) -> float:
        """Images per second of a step, after two steps to warm up."""
        for _ in range(0 if self.cpu else 2):
            step()
        self._wait()
        began, done = time.perf_counter(), 0
        while not done or time.perf_counter() - began < self.seconds:
            step()
            done += 1
        self._wait()
        return round(images * done / (time.perf_counter() - began), 1)

    def _wait(self) -> None:
        if not self.cpu:
            torch.cuda.synchronize()


def samples_per_second(bench: Bench, name: str, memory: int) -> dict[str, float]:
    """How fast pairs or sequences of a configuration are planned, drawn by the device, and made by the CPU."""
    maker = bench.maker(TrainingConfig.load(Path(name)), memory)
    if not bench.cpu:
        maker.prepare(8)
    batch = 2 if bench.cpu else 64
    numbers = itertools.count()
    loader = bench.loader(maker, batch)
    batches = iter(loader)
    plan = open_drawer(maker, 1 << 20, torch.device("cpu")).plan
    found = {
        "planned by one thread": bench.per_second(lambda: plan(next(numbers), 1.0, bench.size, 256), 1),
        "drawn": bench.per_second(lambda: next(batches), batch),
        "made by one thread of the CPU": bench.per_second(lambda: collate([maker.sample(next(numbers), 1.0, bench.size)]), 1),
    }
    loader.close()
    return found


def hourglass_step(bench: Bench, *, compiled: bool) -> Callable[[Batch], None]:
    """A step of the hourglass of `lite`."""
    config = TrainingConfig.load(Path("lite"))
    preset = config.network.hourglass.model_copy(update=TINY) if bench.cpu else config.network.hourglass
    settings = config.hourglass
    trainer = Trainer(
        launch_fabric(settings, 0, bench.machine), Hourglass(preset), settings.optimiser, settings.steps, compiled=compiled
    )

    def step(batch: Batch) -> None:
        coarse, _ = trainer.model(batch.blurry)
        trainer.step(hourglass_loss(settings, coarse, batch.sharp, batch.blurry), 0)

    return step


def stream_step(bench: Bench, *, compiled: bool) -> Callable[[Batch], None]:
    """A step of the generator of `stream`."""
    config = TrainingConfig.load(Path("stream"))
    settings = config.cgan
    fabric = launch_fabric(settings, 0, bench.machine)
    pathways = build_pathways(config, network_path("lite"), None, resuming=False)
    trainer = Trainer(fabric, pathways, settings.optimiser, settings.steps, part=pathways.trained, compiled=compiled)

    def step(batch: Batch) -> None:
        outputs = trainer.model(batch.blurry, batch.sharp, batch.memory)
        with fabric.autocast():
            terms = generator_losses(settings, batch, outputs, torch.nn.Identity(), None)
        trainer.step(torch.stack([term.float() for term in terms.values()]).sum(), 0)

    return step


def images_per_second(bench: Bench, make_step: MakeStep, memory: int, batch: int, *, compiled: bool = False) -> dict[str, float]:
    """How fast a network trains, on one batch again and again, and on new ones."""
    loader = bench.loader(bench.maker(TrainingConfig.load(Path("stream" if memory else "lite")), memory), batch)
    batches = iter(loader)
    given = next(batches)
    step = make_step(bench, compiled=compiled)
    began = time.perf_counter()
    step(given)
    found = {"first_step_s": round(time.perf_counter() - began, 1)}
    found["one batch"] = bench.per_second(lambda: step(given), batch)
    found["new batches"] = bench.per_second(lambda: step(next(batches)), batch)
    loader.close()
    return found


def run(check: Check) -> None:
    """Measure pairs, then trainings; compiled ones last, because compiling takes minutes."""
    bench = Bench(check)
    for name, memory in (("lite", 0), ("stream", 4)):
        check.note(**{f"samples per second, {name}": samples_per_second(bench, name, memory)})
    kinds: dict[str, tuple[MakeStep, int]] = {"hourglass of lite": (hourglass_step, 0), "stream": (stream_step, 4)}
    if check.cpu:
        check.note(training=images_per_second(bench, hourglass_step, 0, 2))
        return
    for name, (make_step, memory) in kinds.items():
        for batch in BATCHES:
            check.note(**{f"images per second, {name}, batch {batch}": images_per_second(bench, make_step, memory, batch)})
    for name, (make_step, memory) in kinds.items():
        found = images_per_second(bench, make_step, memory, BATCHES[0], compiled=True)
        check.note(**{f"images per second, {name}, batch {BATCHES[0]}, compiled": found})
