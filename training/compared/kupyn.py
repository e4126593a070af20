"""Training of Kupyn et al. 2018 (DeblurGAN): a Wasserstein GAN with a gradient penalty, and a perceptual loss.

The critic minimises ``D(G(b)) - D(s)``, plus ten times the penalty of I. Gulrajani et al. 2017: ``(|grad D(x)| - 1)^2`` at random
points between sharp and restored images. The generator minimises ``- D(G(b))`` plus 100 times the mean squared difference of the
features of restored and sharp images after the layer conv3_3 of a VGG network, here divided by the variance of the sharp ones, so
that the weight fits any network (see `open_extractor`). Without a file with a network the content term is the mean absolute
difference of pixels, with the same weight (as in P. Isola et al. 2017).

For each step of the generator the critic is trained in five steps. The reduced version divides the batch among them, where the
original shows the critic the same images five times, which would take most of the time on a CPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from lightning_fabric import Fabric
from torch import Tensor, nn

from streamdeblur.training.batches import Batch
from streamdeblur.training.cgan import frozen
from streamdeblur.training.compared.method import Check, Losses
from streamdeblur.training.config import ComparedSettings
from streamdeblur.training.feature_extractor import Extractor
from streamdeblur.training.loop import Stateful
from streamdeblur.training.losses import l1
from streamdeblur.training.networks.compared.kupyn import KupynNetwork
from streamdeblur.training.networks.compared.patch_discriminator import PatchDiscriminator
from streamdeblur.training.networks.compared.presets import KupynPreset
from streamdeblur.training.trainer import Trainer


class KupynTraining:
    """See `ComparedMethod`."""

    def __init__(self, fabric: Fabric, preset: KupynPreset, settings: ComparedSettings, extractor: Extractor | None) -> None:
        """
        Args:
            fabric: Of this process.
            preset: Shapes, and weights of the losses.
            settings: Of the training.
            extractor: Features of the content term; None to compare pixels.
        """
        self._fabric, self._preset, self._extractor = fabric, preset, extractor
        self.generator = KupynNetwork(preset)
        self._critic = PatchDiscriminator(preset.critic)
        self._learner = Trainer(fabric, self.generator, settings.optimiser, settings.steps)
        self._judge = Trainer(fabric, self._critic, settings.discriminator_optimiser, settings.steps)
        self.parts: dict[str, Stateful] = {"learner": self._learner, "judge": self._judge}

    def step(self, batch: Batch, number: int, check: Check) -> Losses:
        """Train the critic in several steps, then the generator."""
        with self._fabric.autocast():
            (restored,) = self.generator(batch.blurry)
        judged = self._judge_steps(batch, restored.detach(), number, check)
        with self._fabric.autocast(), frozen(self._critic):
            terms = {"content": self._preset.content * self._content(restored, batch.sharp).float()}
            terms["adversarial"] = -self._verdict(restored).float()
        total = terms["content"] + terms["adversarial"]
        check(terms)
        self._learner.step(total, number)
        return {"total": total, **terms, **judged}

    def _judge_steps(self, batch: Batch, restored: Tensor, number: int, check: Check) -> Losses:
        """Train the critic on each part of the batch, in full precision, as a penalty of gradients needs."""
        judged: Losses = {}
        parts = min(self._preset.critic_steps, len(restored))
        for sharp, own in zip(batch.sharp.chunk(parts), restored.chunk(parts), strict=True):
            judged = {
                "distance": self._verdict(own) - self._verdict(sharp),
                "penalty": self._preset.penalty * gradient_penalty(self._critic, 2 * sharp - 1, 2 * own - 1),
            }
            check(judged)
            self._judge.step(judged["distance"] + judged["penalty"], number)
        return judged

    def _verdict(self, images: Tensor) -> Tensor:
        """The mean verdict on images in [0, 1]."""
        verdicts: Tensor = self._critic(2 * images - 1)
        return torch.mean(verdicts)

    def _content(self, restored: Tensor, sharp: Tensor) -> Tensor:
        if self._extractor is None:
            return l1(restored, sharp)
        with torch.no_grad():
            target = self._extractor(sharp).float()
        distance: Tensor = F.mse_loss(self._extractor(restored).float(), target)
        return distance / target.var()


def gradient_penalty(critic: nn.Module, sharp: Tensor, generated: Tensor) -> Tensor:
    """Return the mean squared distance from 1 of the norm of the critic's gradient, between sharp and generated images.

    Args:
        critic: Maps images [N, 3, H, W] to verdicts [N, 1, h, w].
        sharp: Images [N, 3, H, W].
        generated: As many.
    """
    share = torch.rand(len(sharp), 1, 1, 1, device=sharp.device)
    between = torch.lerp(generated, sharp, share).requires_grad_()
    verdicts = critic(between).mean((1, 2, 3)).sum()
    (gradients,) = torch.autograd.grad(verdicts, between, create_graph=True)
    penalty: Tensor = (gradients.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty
