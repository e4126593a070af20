"""The losses of the method, an equation each. Images are float [N, 3, H, W], RGB in [0, 1]; norms are means over all values."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

CHARBONNIER = 0.01
"""Error in [0, 1] below which the Charbonnier loss is quadratic: what is nearly right no longer pulls."""
EASY = 0.08
"""Added to the error of the blurry input that an error is measured against, so that sharp inputs do not dominate."""


def l1(images: Tensor, targets: Tensor) -> Tensor:
    """Eq. 2, the hourglass loss ``|| I_s - H(I_bl) ||_1``; also eq. 6, the reconstruction loss ``|| G_s(I_s) - I_s ||_1``."""
    return (images - targets).abs().mean()


def relative_distances(images: Tensor, targets: Tensor, blurry: Tensor) -> Tensor:
    """The Charbonnier distance of each sample, [N], divided by how far its blurry input is from the target."""
    distance = ((images - targets).square() + CHARBONNIER**2).sqrt() - CHARBONNIER
    difficulty = (blurry - targets).abs().mean((1, 2, 3)) + EASY
    return distance.mean((1, 2, 3)) / difficulty


def relative_charbonnier(images: Tensor, targets: Tensor, blurry: Tensor) -> Tensor:
    """Eq. 2 for mixed inputs: a smooth l1, each sample divided by how far its blurry input is from the target.

    With the plain l1 of eq. 2, sharp inputs dominate the gradient, which does not vanish at zero error. The Charbonnier distance
    (Charbonnier et al. 1994) is quadratic near zero, and dividing gives mild and strong blur the same say.
    """
    return relative_distances(images, targets, blurry).mean()


def deconvolution_loss(planes: Tensor, targets: Tensor, blurry: Tensor) -> Tensor:
    """How far deconvolved planes [N, R, h, w], one of each response, are from the target [N, 1, h, w]: the better one counts, for
    light adds up under one of them."""
    distances = [relative_distances(plane[:, None], targets, blurry) for plane in planes.unbind(1)]
    return torch.stack(distances).amin(0).mean()


def kernel_loss(kernels: Tensor, targets: Tensor) -> Tensor:
    """One less the cosine between estimated kernels and true ones, [N, 1, k, k]; targets that are zero are not known."""
    known = targets.flatten(1).any(1)
    cosine = F.cosine_similarity(kernels.flatten(1), targets.flatten(1))
    return ((1.0 - cosine) * known).sum() / known.sum().clamp_min(1)


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences along x and y: [N, 3, H, W - 1] and [N, 3, H - 1, W]."""
    return images[..., :, 1:] - images[..., :, :-1], images[..., 1:, :] - images[..., :-1, :]


def gradient_l1(images: Tensor, targets: Tensor) -> Tensor:
    """The second term of eq. 4, ``|| grad G_bl(I_bl) - grad I_s ||_1``."""
    across, down = gradients(images - targets)
    return across.abs().mean() + down.abs().mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Eq. 3 as the discriminator minimises it: ``- log D(s, y) - log(1 - D(s, G(s)))``; both arguments are logits."""
    return F.softplus(-real).mean() + F.softplus(generated).mean()


def adversarial_loss(generated: Tensor) -> Tensor:
    """Eq. 3 as the generator minimises it, ``- log D(s, G(s))`` (Goodfellow et al. 2014: same fixed point, gradients that do not
    vanish while the discriminator is sure); the argument are logits."""
    return F.softplus(-generated).mean()


def projection_loss(features: Tensor, targets: Tensor) -> Tensor:
    """Eq. 5, ``|| pi(G_bl(I_bl)) - pi(I_s) ||_1``, pi being the features before the last layer of the discriminator."""
    return l1(features, targets)
