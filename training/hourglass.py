"""Step 1: the hourglass.

streamdeblur train hourglass CONFIG --stills DIR --out DIR                                   # one process, on a CPU or a GPU
torchrun --nproc-per-node 4 -m streamdeblur train hourglass CONFIG --stills DIR --out DIR    # several
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from streamdeblur.training.config import HourglassSettings, TrainingConfig
from streamdeblur.training.ema import WeightAverage
from streamdeblur.training.loop import Data, Loop, launch
from streamdeblur.training.losses import l1, relative_charbonnier
from streamdeblur.training.networks.deblurring import TwoStep
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.run import Run
from streamdeblur.training.trainer import Learner
from streamdeblur.training.weights import load_weights


def hourglass_loss(settings: HourglassSettings, coarse: Tensor, sharp: Tensor, blurry: Tensor) -> Tensor:
    """Eq. 2, in the form that the settings name."""
    return l1(coarse, sharp) if settings.loss == "l1" else relative_charbonnier(coarse, sharp, blurry)


def train_hourglass(config: TrainingConfig, data: Data, folder: Path, init: Path | None = None) -> None:
    """Train H until the run's images are seen; goes on where `folder` holds a checkpoint, else begins with the weights of `init`.

    Raises:
        OptionError: `folder` holds another run.
        InputError, NetworkError: the checkpoint or `init` cannot be used.
        OutputError: the folder cannot be written to.
        TrainingError: the loss is not a number any more.
    """
    settings = config.hourglass
    fabric = launch(settings, config.seed)
    hourglass = Hourglass(config.network.hourglass)
    if init is not None:
        load_weights(hourglass, init, "hourglass")
    learner = Learner(fabric, hourglass, settings.optimiser, settings.steps)
    average = WeightAverage(hourglass, settings.average)

    with Run(folder, "hourglass", config, writes=fabric.is_global_zero) as run:
        loop = Loop(fabric, run, settings, {"learner": learner, "average": average})
        for step, batch in loop.steps(data, lambda: TwoStep(average.network, None)):
            coarse, _ = learner.model(batch.blurry)
            loss = hourglass_loss(settings, coarse, batch.sharp, batch.blurry)
            loop.check({"coarse": loss})
            learner.descend(loss, step)
            average.update(hourglass)
