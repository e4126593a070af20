"""Training of `lite`: images per second in bf16 and in float32, and the cost of making the pairs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from harness import Row, alternate, ratio
from streamdeblur.demo.run import group_photograph
from streamdeblur.training.batches import Batch, BatchLoader
from streamdeblur.training.config import HourglassSettings, TrainingConfig
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.loop import launch_fabric
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.objectives import hourglass_loss
from streamdeblur.training.trainer import Trainer

STEPS = 8


def measure(rounds: int) -> list[Row]:
    """Measure step 1 of `lite` on this machine."""
    config = TrainingConfig.load(Path("lite"))
    settings = config.hourglass
    batches = _batches(config, settings)
    loader = iter(batches)
    batch = next(loader)
    steps = {precision: _step(config, settings, precision) for precision in ("bf16-mixed", "32-true")}

    def without_loader(precision: str) -> Callable[[], float]:
        return lambda: _seconds(lambda: steps[precision](batch))

    def with_loader() -> float:
        return _seconds(lambda: steps["bf16-mixed"](next(loader)))

    reduced, full, loaded = alternate([without_loader("bf16-mixed"), without_loader("32-true"), with_loader], rounds)
    batches.close()
    speed = {name: settings.batch / statistics.median(values) for name, values in (("bf16", reduced), ("f32", full))}
    return [
        Row(
            f"training the hourglass of lite, {settings.crop} px",
            f"bf16 {speed['bf16']:.0f} images/s",
            f"float32 {speed['f32']:.0f} images/s",
            ratio(full, reduced),
            ">= 2 on a CPU with AMX",
        ),
        Row(
            "a training step with the loader",
            f"{1000 * statistics.median(loaded):.0f} ms",
            f"without {1000 * statistics.median(reduced):.0f} ms",
            ratio(reduced, loaded),
            ">= 0.9",
        ),
    ]


def _batches(config: TrainingConfig, settings: HourglassSettings) -> BatchLoader:
    photograph = group_photograph()
    stills = [photograph[y : y + 320, x : x + 320] for y in (100, 300) for x in range(0, 900, 150)]
    maker = PairMaker(stills, [], config.recipe_of(settings))
    return BatchLoader(maker.pair, size=settings.batch, part=settings.part, crop=settings.face_crop, severity=lambda step: 1.0)


def _step(config: TrainingConfig, settings: HourglassSettings, precision: str) -> Callable[[Batch], None]:
    chosen = settings.model_copy(update={"precision": precision})
    trainer = Trainer(launch_fabric(chosen, 0), Hourglass(config.network.hourglass), settings.optimiser, settings.steps)

    def step(batch: Batch) -> None:
        coarse, _ = trainer.model(batch.blurry)
        trainer.step(hourglass_loss(settings, coarse, batch.sharp, batch.blurry), 0)

    return step


def _seconds(step: Callable[[], None]) -> float:
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
