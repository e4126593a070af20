"""Step 2: train the conditional GAN with two pathways; the hourglass is frozen.

streamdeblur train cgan CONFIG --hourglass RUN --stills DIR --clips DIR --out DIR                          # one process
torchrun --nproc-per-node 4 -m streamdeblur train cgan CONFIG --hourglass RUN --clips DIR --out DIR        # several processes
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import nn

from streamdeblur.errors import OptionError
from streamdeblur.training.config import CganSettings, TrainingConfig
from streamdeblur.training.ema import EMA
from streamdeblur.training.feature_extractor import open_extractor
from streamdeblur.training.loop import Stateful, TrainingData, TrainingLoop, launch_fabric
from streamdeblur.training.machine import Machine
from streamdeblur.training.networks.discriminator import Discriminator
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.pathways import BothPathways, PathwayOutputs
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.training.normalisation import renew_fused_normalisation
from streamdeblur.training.objectives import discriminator_objective, generator_losses
from streamdeblur.training.run import CHECKPOINT, TrainingRun
from streamdeblur.training.teacher import Teacher, open_teacher
from streamdeblur.training.trainer import Trainer
from streamdeblur.training.weights import load_weights


def train_cgan(
    config: TrainingConfig,
    data: TrainingData,
    folder: Path,
    hourglass: Path | None = None,
    init: Path | None = None,
    identity: str = "",
    teacher: Path | None = None,
    machine: Machine | None = None,
) -> None:
    """Train G_bl, G_s and D (Sec. 3.2 and 3.3, eq. 7) on ``config.cgan.images`` images, or resume the run in `folder`.

    Args:
        config: Settings of the training.
        data: Pairs to train on and to validate with.
        folder: Folder of the run; created if it does not exist.
        hourglass: The H of step 1: the folder of a run, a checkpoint, or an exported ONNX file; the latter where the network has
            a draft, whose generator is in it.
        init: Initial weights of the generator, in the same forms.
        identity: Network of the identity term, see `open_extractor`; not read if the weight of the term is zero.
        teacher: The exported network of the term of a teacher; not read if its weight is zero.
        machine: Where it is trained; None for a GPU if there is one, else the CPU.

    Raises:
        OptionError: `folder` holds another run, the configuration needs a network that was not given, or the machine has no such
            device.
        InputError, NetworkError: A checkpoint or network cannot be used.
        OutputError: The folder cannot be written to.
        TrainingError: A loss or a weight is no longer finite.
    """
    settings = config.cgan
    machine = machine or Machine()
    fabric = launch_fabric(settings, config.seed, machine)
    pathways = build_pathways(config, hourglass, init, resuming=(folder / CHECKPOINT).exists())
    extractor = open_extractor(identity, fabric.device) if settings.weights.identity else None
    taught_by = _open_teacher(settings, teacher, fabric.device)
    trainer = Trainer(fabric, pathways, settings.optimiser, settings.steps, part=pathways.trained, compiled=machine.compiled)
    discriminator = Discriminator(config.network.discriminator)
    discriminator_trainer = Trainer(
        fabric, discriminator, settings.discriminator_optimiser, settings.steps, compiled=machine.compiled
    )
    ema = EMA(pathways.trained, settings.average)

    with TrainingRun(folder, "cgan", config, writes=fabric.is_global_zero) as run:
        parts: dict[str, Stateful] = {"learner": trainer, "judge": discriminator_trainer, "average": ema}  # names in the file
        if pathways.generator is not None and pathways.hourglass is not None:
            parts["hourglass"] = pathways.hourglass
        if pathways.draft is not None:
            parts["draft"] = pathways.draft
        loop = TrainingLoop(fabric, run, settings, parts, machine)
        for step, batch in loop.steps(data, lambda: network_for_prediction(pathways, ema)):
            if step == 0:
                images = batch.blurry, batch.sharp, batch.memory
                renew_fused_normalisation(fabric, pathways.trained, ema, partial(pathways.forward, *images))
            loop.keep_statistics_if_due(pathways.trained, ema)
            outputs: PathwayOutputs = trainer.model(batch.blurry, batch.sharp, batch.memory)
            judged = {}
            if settings.weights.needs_discriminator:
                loss = discriminator_objective(discriminator_trainer.model, batch, outputs)
                judged["discriminator"] = loss.detach()
                loop.check(judged)
                discriminator_trainer.step(loss, step)
            with fabric.autocast(), frozen(discriminator):
                terms = generator_losses(settings, batch, outputs, discriminator, extractor, taught_by)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            loop.record({"total": total, **terms, **judged})
            trainer.step(total, step)
            ema.update(pathways.trained)


def _open_teacher(settings: CganSettings, path: Path | None, device: torch.device) -> Teacher | None:
    """The teacher, if the settings ask for one."""
    if not settings.weights.teacher:
        return None
    if path is None:
        raise OptionError("This configuration trains with a teacher: give --teacher FILE.onnx, an exported network.")
    return open_teacher(path, device)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Exclude the weights of a network from the gradients of what is computed in this context."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def build_pathways(config: TrainingConfig, hourglass: Path | None, init: Path | None, *, resuming: bool) -> BothPathways:
    """Build the networks that the configuration selects, with their initial weights.

    Args:
        config: Settings of the training.
        hourglass: The H of step 1, and the generator of the draft.
        init: Initial weights of the part that is trained; by default those of the draft, if there is one.
        resuming: Whether a checkpoint will replace all weights, so that H need not be given.

    Raises:
        OptionError: The generator needs a trained hourglass, and none was given; or it has none, and one was given.
        InputError, NetworkError: A checkpoint or network cannot be used.
    """
    if hourglass is not None and config.takes_step_1 != "--hourglass":
        raise OptionError(_needs_no_hourglass(config, hourglass))
    first = Hourglass(config.network.hourglass)
    if config.cgan.generator == "hourglass":
        if init is not None:
            load_weights(first, init, "hourglass")
        return BothPathways(first, None)
    generator = TwoPathGenerator(config.network.generator, config.network.hourglass.code)
    if not config.network.generator.needs_hourglass:
        if init is not None:
            load_weights(generator, init, "generator")
        return BothPathways(None, generator)
    if hourglass is not None:
        load_weights(first, hourglass, "hourglass")
    elif not resuming:
        raise OptionError("Step 2 needs a trained hourglass: give --hourglass RUN, a folder that 'train hourglass' made.")
    draft = _build_draft(config, hourglass)
    if init is None and draft is not None:
        init = hourglass
    if init is not None:
        load_weights(generator, init, "generator")
    elif hourglass is not None and config.network.generator.kind == "unet":
        generator.initialise_from(first)
    return BothPathways(first, generator, draft)


def _needs_no_hourglass(config: TrainingConfig, given: Path) -> str:
    """Why a configuration cannot use the hourglass that was given, and what to do."""
    if config.takes_step_1 == "--init":
        return f"This configuration trains the hourglass itself ('generator: hourglass'): give it as --init {given}."
    return f"The generator of this configuration ('conditioned: false') sees no coarse image: leave out --hourglass {given}."


def _build_draft(config: TrainingConfig, exported: Path | None) -> TwoPathGenerator | None:
    """The generator of the draft, from the exported network of single frames that holds the hourglass, too."""
    preset = config.network.draft
    if preset is None:
        return None
    draft = TwoPathGenerator(preset, config.network.hourglass.code)
    if exported is not None:
        if exported.suffix != ".onnx":
            raise OptionError(f"The draft needs a whole network: give --hourglass an exported ONNX file instead of {exported}.")
        load_weights(draft, exported, "generator")
    return draft


def network_for_prediction(pathways: BothPathways, ema: EMA[Hourglass | TwoPathGenerator]) -> TwoStepNetwork:
    """Return the network that an export of this moment would hold: H and the averaged generator."""
    if isinstance(ema.network, Hourglass):
        return TwoStepNetwork(ema.network, None)
    return TwoStepNetwork(pathways.hourglass, ema.network, pathways.draft)
