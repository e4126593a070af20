"""Step 1: train the hourglass.

streamdeblur train hourglass CONFIG --stills DIR --out DIR                                   # one process, on a CPU or a GPU
torchrun --nproc-per-node 4 -m streamdeblur train hourglass CONFIG --stills DIR --out DIR    # several processes
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from streamdeblur.training.config import TrainingConfig
from streamdeblur.training.ema import EMA
from streamdeblur.training.loop import TrainingData, TrainingLoop, launch_fabric
from streamdeblur.training.machine import Machine
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.training.normalisation import renew_fused_normalisation
from streamdeblur.training.objectives import hourglass_loss
from streamdeblur.training.run import TrainingRun
from streamdeblur.training.trainer import Trainer
from streamdeblur.training.weights import load_weights


def train_hourglass(
    config: TrainingConfig, data: TrainingData, folder: Path, init: Path | None = None, machine: Machine | None = None
) -> None:
    """Train H (Sec. 3.1, eq. 2) on ``config.hourglass.images`` images, or resume the run in `folder`.

    Args:
        config: Settings of the training.
        data: Pairs to train on and to validate with.
        folder: Folder of the run; created if it does not exist.
        init: Initial weights of H: the folder of a run, a checkpoint, or an exported ONNX file.
        machine: Where it is trained; None for a GPU if there is one, else the CPU.

    Raises:
        OptionError: `folder` holds another run, or the machine has no such device.
        InputError, NetworkError: The checkpoint or `init` cannot be used.
        OutputError: The folder cannot be written to.
        TrainingError: The loss or a weight is no longer finite.
    """
    settings = config.hourglass
    machine = machine or Machine()
    fabric = launch_fabric(settings, config.seed, machine)
    hourglass = Hourglass(config.network.hourglass)
    if init is not None:
        load_weights(hourglass, init, "hourglass")
    trainer = Trainer(fabric, hourglass, settings.optimiser, settings.steps, compiled=machine.compiled)
    ema = EMA(hourglass, settings.average)

    with TrainingRun(folder, "hourglass", config, writes=fabric.is_global_zero) as run:
        loop = TrainingLoop(fabric, run, settings, {"learner": trainer, "average": ema}, machine)  # names in the file
        for step, batch in loop.steps(data, lambda: TwoStepNetwork(ema.network, None)):
            if step == 0:
                renew_fused_normalisation(fabric, hourglass, ema, partial(hourglass.forward, batch.blurry))
            loop.keep_statistics_if_due(hourglass, ema)
            coarse, _ = trainer.model(batch.blurry)
            loss = hourglass_loss(settings, coarse, batch.sharp, batch.blurry)
            loop.record({"coarse": loss})
            trainer.step(loss, step)
            ema.update(hourglass)
