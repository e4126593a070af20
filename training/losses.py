"""The loss terms of the method, one function for each equation.

Images are float [N, 3, H, W], RGB in [0, 1]; every loss is a scalar. The paper's norms are means over all values, or as it writes
them sums over those of an image, whose mean over the batch is taken (`Norm`).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Norm = Literal["mean", "sum"]
"""Whether an l1 norm is the mean over all values, or the sum over those of one image."""
AdversarialForm = Literal["non-saturating", "saturating"]
"""How the generator minimises eq. 3; see `adversarial_loss`."""

CHARBONNIER = 0.01
"""Error in [0, 1] below which the Charbonnier loss is quadratic, so that small errors have small gradients."""
DIFFICULTY_OFFSET = 0.08
"""Added to the error of the blurry input before dividing by it, so that sharp inputs do not dominate."""


def l1(images: Tensor, targets: Tensor, norm: Norm = "mean") -> Tensor:
    """Compute the l1 norm of the difference of images and targets.

    The hourglass loss (eq. 2) is ``|| I_s - H(I_bl) ||_1``, and the reconstruction loss (eq. 6) ``|| G_s(I_s) - I_s ||_1``.
    """
    return reduced((images - targets).abs(), norm)


def reduced(values: Tensor, norm: Norm) -> Tensor:
    """Return the mean of values [N, ...], or the mean over N of the sums of the others."""
    return values.mean() if norm == "mean" else values.flatten(1).sum(1).mean()


def relative_distances(images: Tensor, targets: Tensor, blurry: Tensor) -> Tensor:
    """Return the Charbonnier distance of each sample, [N], relative to the l1 distance of its blurry input from the target."""
    distance = ((images - targets).square() + CHARBONNIER**2).sqrt() - CHARBONNIER
    difficulty = (blurry - targets).abs().mean((1, 2, 3)) + DIFFICULTY_OFFSET
    return distance.mean((1, 2, 3)) / difficulty


def relative_charbonnier(images: Tensor, targets: Tensor, blurry: Tensor) -> Tensor:
    """Compute eq. 2 for inputs with blur of different strength: a smooth l1 distance, normalised per sample.

    The gradient of the plain l1 distance does not vanish at zero error, so sharp inputs would dominate it. The Charbonnier
    distance (Charbonnier et al. 1994) is quadratic near zero; dividing by the error of the blurry input gives mild and strong
    blur the same weight.
    """
    return relative_distances(images, targets, blurry).mean()


def deconvolution_loss(planes: Tensor, targets: Tensor, blurry: Tensor) -> Tensor:
    """Return the relative Charbonnier distance of deconvolved planes: for each sample, that of the better camera response.

    Args:
        planes: Deconvolved luma, [N, R, h, w], one plane for each response.
        targets: Luma of the sharp images, [N, 1, h, w].
        blurry: Luma of the blurry images, [N, 1, h, w].
    """
    distances = [relative_distances(plane[:, None], targets, blurry) for plane in planes.unbind(1)]
    return torch.stack(distances).amin(0).mean()


def kernel_loss(kernels: Tensor, targets: Tensor) -> Tensor:
    """Return one minus the cosine between estimated and true kernels, averaged over the samples whose kernel is known.

    Args:
        kernels: Estimated kernels, [N, F, k, k].
        targets: True kernels, [N, F, k, k]; all zero where the kernel is unknown.
    """
    known = targets.flatten(2).any(2)
    cosine = F.cosine_similarity(kernels.flatten(2), targets.flatten(2), dim=2)
    return ((1.0 - cosine) * known).sum() / known.sum().clamp_min(1)


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the forward differences along x and y: [N, 3, H, W - 1] and [N, 3, H - 1, W]."""
    return images[..., :, 1:] - images[..., :, :-1], images[..., 1:, :] - images[..., :-1, :]


def gradient_l1(images: Tensor, targets: Tensor, norm: Norm = "mean") -> Tensor:
    """Return the second term of eq. 4, ``|| grad G_bl(I_bl) - grad I_s ||_1``."""
    across, down = gradients(images - targets)
    return reduced(across.abs(), norm) + reduced(down.abs(), norm)


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Compute eq. 3 as the discriminator minimises it: ``- log D(s, y) - log(1 - D(s, G(s)))``.

    Args:
        real: Logits of sharp images.
        generated: Logits of generated images.
    """
    return F.softplus(-real).mean() + F.softplus(generated).mean()


def adversarial_loss(generated: Tensor, form: AdversarialForm = "non-saturating") -> Tensor:
    """Compute eq. 3 as the generator minimises it.

    Args:
        generated: Logits of generated images.
        form: "saturating" is ``log(1 - D(s, G(s)))``, as eq. 3 is written. "non-saturating" is ``- log D(s, G(s))``, which has
            the same fixed point, and whose gradient does not vanish while the discriminator is confident (Goodfellow et al.
            2014).
    """
    return -F.softplus(generated).mean() if form == "saturating" else F.softplus(-generated).mean()


def projection_loss(features: Tensor, targets: Tensor, norm: Norm = "mean") -> Tensor:
    """Compute eq. 5, ``|| pi(G_bl(I_bl)) - pi(I_s) ||_1``; pi is the output of the discriminator's penultimate layer."""
    return l1(features, targets, norm)
