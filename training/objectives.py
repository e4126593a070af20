"""What each network minimises: eqs. 2, 3 and 7, with the terms and weights that a configuration selects."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from streamdeblur.training.batches import Batch
from streamdeblur.training.config import CganSettings, HourglassSettings, LossWeights
from streamdeblur.training.feature_extractor import Extractor
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
from streamdeblur.training.networks.deconvolution import DeconvolutionOutputs, reduced_kernels, reduced_luma
from streamdeblur.training.networks.pathways import PathwayOutputs
from streamdeblur.training.teacher import Teacher


def hourglass_loss(settings: HourglassSettings, coarse: Tensor, sharp: Tensor, blurry: Tensor) -> Tensor:
    """Compute eq. 2 in the form that the settings select.

    Args:
        settings: Of step 1.
        coarse: Output of the hourglass, float [N, 3, H, W].
        sharp: Ground truth, float [N, 3, H, W] in [0, 1].
        blurry: Input of the hourglass, float [N, 3, H, W] in [0, 1].

    Returns:
        A scalar.
    """
    return l1(coarse, sharp, settings.norm) if settings.loss == "l1" else relative_charbonnier(coarse, sharp, blurry)


def discriminator_objective(discriminator: nn.Module, batch: Batch, outputs: PathwayOutputs) -> Tensor:
    """Compute eq. 3 as the discriminator minimises it; no gradient reaches the generator.

    Args:
        discriminator: A `Discriminator`, or what Fabric wraps it in.
        batch: Blurry images, which are the condition, and sharp ones.
        outputs: Of both pathways for this batch.

    Returns:
        A scalar.
    """
    real, _ = discriminator(batch.blurry, _aimed(batch, outputs).sharp)
    generated, _ = discriminator(batch.blurry, outputs.restored.images.detach())
    return discriminator_loss(real, generated)


def generator_losses(
    settings: CganSettings,
    batch: Batch,
    outputs: PathwayOutputs,
    discriminator: nn.Module,
    extractor: Extractor | None,
    teacher: Teacher | None = None,
) -> dict[str, Tensor]:
    """Return the terms of eq. 7, those of the deconvolution and of a teacher, and the identity term of Sec. 5.3.

    Args:
        settings: Of step 2; terms whose weight is zero are left out.
        batch: The pairs that were restored.
        outputs: Of both pathways for this batch.
        discriminator: D, with frozen weights.
        extractor: Features of the identity term, if there is one.
        teacher: Restores what the restored images are compared with beside the sharp ones, if there is one.

    Returns:
        Weighted scalars by the name of their term.
    """
    weights, restored = settings.weights, outputs.restored.images
    sharp, batch = batch.sharp, _aimed(batch, outputs)
    terms = {"content": weights.content * _content(settings, batch, restored, batch.sharp)}
    if outputs.restored.confidence is not None:
        trusted = outputs.restored._replace(images=restored.detach()).trusted(batch.blurry)
        terms["confidence"] = weights.confidence * _content(settings, batch, trusted, batch.sharp)
    if weights.gradient:
        terms["gradient"] = weights.gradient * gradient_l1(restored, batch.sharp, settings.norm)
    if outputs.reconstructed is not None and weights.reconstruction:
        terms["reconstruction"] = weights.reconstruction * l1(outputs.reconstructed, sharp, settings.norm)
    if weights.needs_discriminator:
        terms |= _adversarial_losses(settings, batch, restored, discriminator)
    if outputs.restored.deconvolved is not None:
        terms |= _deconvolution_losses(weights, batch, outputs.restored.deconvolved)
    if extractor is not None and weights.identity:
        terms["identity"] = weights.identity * l1(extractor(restored), extractor(batch.sharp).detach())
    if teacher is not None and weights.teacher:
        terms["teacher"] = weights.teacher * _content(settings, batch, restored, teacher(batch.blurry))
    return terms


def _aimed(batch: Batch, outputs: PathwayOutputs) -> Batch:
    """The batch with what the restored images are compared with in place of the sharp ones."""
    return batch if outputs.targets is None else replace(batch, sharp=outputs.targets)


def _content(settings: CganSettings, batch: Batch, restored: Tensor, targets: Tensor) -> Tensor:
    """The first term of eq. 4."""
    if settings.content_loss == "l1":
        return l1(restored, targets, settings.norm)
    return relative_charbonnier(restored, targets, batch.blurry)


def _adversarial_losses(settings: CganSettings, batch: Batch, restored: Tensor, discriminator: nn.Module) -> dict[str, Tensor]:
    """Eqs. 3 and 5."""
    weights, terms = settings.weights, {}
    logits, features = discriminator(batch.blurry, restored)
    if weights.adversarial:
        terms["adversarial"] = weights.adversarial * adversarial_loss(logits, settings.adversarial)
    if weights.projection:
        _, targets = discriminator(batch.blurry, batch.sharp)
        terms["projection"] = weights.projection * projection_loss(features, targets.detach(), settings.norm)
    return terms


def _deconvolution_losses(weights: LossWeights, batch: Batch, deconvolved: DeconvolutionOutputs) -> dict[str, Tensor]:
    """The terms that train the deconvolution, which hardly learns to find kernels from the restored image alone."""
    factor = int(batch.sharp.shape[-1]) // int(deconvolved.planes.shape[-1])
    sharp, blurry = reduced_luma(batch.sharp, factor), reduced_luma(batch.blurry, factor)
    return {
        "kernel": weights.kernel * kernel_loss(deconvolved.kernels, reduced_kernels(batch.kernels, factor)),
        "deconvolved": weights.deconvolved * deconvolution_loss(deconvolved.planes, sharp, blurry),
    }
