"""Train one of the learned methods that the paper compares with, on the data of this project.

streamdeblur train compared compared/nah --stills DIR --clips DIR --out DIR
"""

from __future__ import annotations

from pathlib import Path

from lightning_fabric import Fabric

from streamdeblur.errors import OptionError
from streamdeblur.training.compared.chakrabarti import ChakrabartiTraining
from streamdeblur.training.compared.kupyn import KupynTraining
from streamdeblur.training.compared.method import ComparedMethod
from streamdeblur.training.compared.nah import NahTraining
from streamdeblur.training.compared.zhu import ZhuTraining
from streamdeblur.training.config import ComparedSettings, TrainingConfig
from streamdeblur.training.ema import EMA
from streamdeblur.training.feature_extractor import open_extractor
from streamdeblur.training.loop import TrainingData, TrainingLoop, launch_fabric
from streamdeblur.training.machine import Machine
from streamdeblur.training.networks.compared.network import ComparedNetwork
from streamdeblur.training.networks.compared.presets import ChakrabartiPreset, KupynPreset, NahPreset
from streamdeblur.training.run import TrainingRun
from streamdeblur.training.weights import load_weights


def train_compared(
    config: TrainingConfig,
    data: TrainingData,
    folder: Path,
    init: Path | None = None,
    features: str = "",
    machine: Machine | None = None,
) -> None:
    """Train the method of ``config.compared`` on ``config.compared.images`` images, or resume the run in `folder`.

    Args:
        config: Settings of the training.
        data: Pairs to train on and to validate with; for Zhu et al. the former are not paired.
        folder: Folder of the run; created if it does not exist.
        init: Initial weights of what restores: the folder of a run, a checkpoint, or an exported ONNX file.
        features: Network of the content term of Kupyn et al., see `open_extractor`; '' to compare pixels.
        machine: Where it is trained; None for a GPU if there is one, else the CPU. Its networks are not compiled.

    Raises:
        OptionError: `folder` holds another run, the configuration has no compared method, or there are several processes.
        InputError, NetworkError: A checkpoint or network cannot be used.
        OutputError: The folder cannot be written to.
        TrainingError: A loss or a weight is no longer finite.
    """
    settings = config.settings_of_compared()
    fabric = launch_fabric(settings, config.seed, machine)
    if fabric.world_size > 1:
        raise OptionError("The compared methods are trained by one process.")
    method = open_method(fabric, settings, features)
    if init is not None:
        load_weights(method.generator, init, "generator")
    ema = EMA(method.generator, settings.average)
    with TrainingRun(folder, "compared", config) as run:
        loop = TrainingLoop(fabric, run, settings, {**method.parts, "average": ema}, machine)
        for step, batch in loop.steps(data, lambda: ComparedNetwork(ema.network)):
            loop.record(method.step(batch, step, loop.check))
            ema.update(method.generator)


def open_method(fabric: Fabric, settings: ComparedSettings, features: str) -> ComparedMethod:
    """Build the networks and optimisers of the method that the settings name; arguments as for `train_compared`."""
    preset = settings.method
    if isinstance(preset, NahPreset):
        return NahTraining(fabric, preset, settings)
    if isinstance(preset, KupynPreset):
        extractor = open_extractor(features, fabric.device, middle=True) if features else None
        return KupynTraining(fabric, preset, settings, extractor)
    if isinstance(preset, ChakrabartiPreset):
        return ChakrabartiTraining(fabric, preset, settings)
    return ZhuTraining(fabric, preset, settings)
