"""Step 2: the conditional GAN with two pathways; the hourglass is frozen.

streamdeblur train cgan CONFIG --hourglass RUN --stills DIR --clips DIR --out DIR                          # one process
torchrun --nproc-per-node 4 -m streamdeblur train cgan CONFIG --hourglass RUN --clips DIR --out DIR        # several
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from streamdeblur.errors import OptionError
from streamdeblur.training.batches import Batch
from streamdeblur.training.config import CganSettings, TrainingConfig, Weights
from streamdeblur.training.ema import WeightAverage
from streamdeblur.training.identity import Extractor, open_extractor
from streamdeblur.training.loop import Data, Loop, Stateful, launch
from streamdeblur.training.losses import (
    adversarial_loss,
    deconvolution_loss,
    discriminator_loss,
    gradient_l1,
    kernel_loss,
    l1,
    projection_loss,
    relative_charbonnier,
)
from streamdeblur.training.networks.deblurring import TwoStep
from streamdeblur.training.networks.deconvolution import Deconvolved, half_luma, half_size
from streamdeblur.training.networks.discriminator import Discriminator
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.pathways import BothPathways, Restoration
from streamdeblur.training.run import CHECKPOINT, Run
from streamdeblur.training.trainer import Learner
from streamdeblur.training.weights import load_weights


def build_pathways(config: TrainingConfig, hourglass: Path | None, init: Path | None, *, begun: bool) -> BothPathways:
    """The networks that the configuration asks for, with their first weights; a run that has `begun` keeps its own.

    Raises:
        OptionError: the generator needs a trained hourglass, and none was given.
    """
    first = Hourglass(config.network.hourglass)
    if config.cgan.generator == "hourglass":
        if init is not None:
            load_weights(first, init, "hourglass")
        return BothPathways(first, None)
    generator = TwoPathGenerator(config.network.generator, config.network.hourglass.code)
    if hourglass is not None:
        load_weights(first, hourglass, "hourglass")
    elif generator.needs_hourglass and not begun:
        raise OptionError("Step 2 needs a trained hourglass: give --hourglass RUN, a folder that 'train hourglass' made.")
    if init is not None:
        load_weights(generator, init, "generator")
    elif hourglass is not None and config.network.generator.kind == "unet":
        generator.begin_as(first)
    return BothPathways(first, generator)


def generator_losses(
    settings: CganSettings,
    batch: Batch,
    made: Restoration,
    discriminator: Discriminator,
    extractor: Extractor | None,
) -> dict[str, Tensor]:
    """The weighted terms of eq. 7 (and the identity term of Sec. 5.3) that are not weighted zero."""
    weights, restored = settings.weights, made.restored
    if settings.content_loss == "l1":
        content = l1(restored, batch.sharp)
    else:
        content = relative_charbonnier(restored, batch.sharp, batch.blurry)
    terms = {"content": weights.content * content}
    if weights.gradient:
        terms["gradient"] = weights.gradient * gradient_l1(restored, batch.sharp)
    if made.reconstructed is not None and weights.reconstruction:
        terms["reconstruction"] = weights.reconstruction * l1(made.reconstructed, batch.sharp)
    if weights.adversarial or weights.projection:
        verdict, features = discriminator(batch.blurry, restored)
        if weights.adversarial:
            terms["adversarial"] = weights.adversarial * adversarial_loss(verdict)
        if weights.projection:
            _, targets = discriminator(batch.blurry, batch.sharp)
            terms["projection"] = weights.projection * projection_loss(features, targets.detach())
    if made.deconvolved is not None:
        terms |= deconvolution_losses(weights, batch, made.deconvolved)
    if extractor is not None and weights.identity:
        terms["identity"] = weights.identity * l1(extractor(restored), extractor(batch.sharp).detach())
    return terms


def deconvolution_losses(weights: Weights, batch: Batch, deconvolved: Deconvolved) -> dict[str, Tensor]:
    """The weighted terms that teach the deconvolution, which would hardly find a kernel by the restored image alone."""
    sharp, blurry = half_luma(batch.sharp), half_luma(batch.blurry)
    return {
        "kernel": weights.kernel * kernel_loss(deconvolved.kernel, half_size(batch.kernels)),
        "deconvolved": weights.deconvolved * deconvolution_loss(deconvolved.planes, sharp, blurry),
    }


def train_cgan(
    config: TrainingConfig, data: Data, folder: Path, hourglass: Path | None = None, init: Path | None = None, identity: str = ""
) -> None:
    """Train G_bl, G_s and D until the run's images are seen; goes on where `folder` holds a checkpoint.

    hourglass: a run of step 1, a checkpoint or an exported ONNX file; init: the first weights of the generator, likewise;
    identity: a network of faces for the identity term, see `open_extractor`.

    Raises:
        OptionError: `folder` holds another run, or the configuration needs a network that was not given.
        InputError, NetworkError: a checkpoint or network cannot be used.
        OutputError: the folder cannot be written to.
        TrainingError: a loss is not a number any more.
    """
    settings = config.cgan
    fabric = launch(settings, config.seed)
    pathways = build_pathways(config, hourglass, init, begun=(folder / CHECKPOINT).exists())
    extractor = open_extractor(identity, fabric.device) if settings.weights.identity else None
    learner = Learner(fabric, pathways, settings.optimiser, settings.steps, part=pathways.trained)
    discriminator = Discriminator(config.network.discriminator)
    judge = Learner(fabric, discriminator, settings.discriminator_optimiser, settings.steps)
    average = WeightAverage(pathways.trained, settings.average)

    with Run(folder, "cgan", config, writes=fabric.is_global_zero) as run:
        parts: dict[str, Stateful] = {"learner": learner, "judge": judge, "average": average}
        if pathways.generator is not None:
            parts["hourglass"] = pathways.hourglass
        loop = Loop(fabric, run, settings, parts)
        for step, batch in loop.steps(data, lambda: predictor(pathways, average)):
            made: Restoration = learner.model(batch.blurry, batch.sharp)
            if settings.weights.adversarial or settings.weights.projection:
                discriminator.requires_grad_(True)
                real, _ = judge.model(batch.blurry, batch.sharp)
                generated, _ = judge.model(batch.blurry, made.restored.detach())
                verdict = discriminator_loss(real, generated)
                loop.check({"discriminator": verdict})
                judge.descend(verdict, step)
            discriminator.requires_grad_(False)
            with fabric.autocast():
                terms = generator_losses(settings, batch, made, discriminator, extractor)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            loop.check({"total": total, **terms})
            learner.descend(total, step)
            average.update(pathways.trained)


def predictor(pathways: BothPathways, average: WeightAverage[Hourglass | TwoPathGenerator]) -> TwoStep:
    """What would be exported now."""
    if isinstance(average.network, Hourglass):
        return TwoStep(average.network, None)
    return TwoStep(pathways.hourglass, average.network)
