"""Training of Nah et al. 2017: the squared error at each scale, and an adversarial term at the finest one.

The content loss is half of the mean over the scales of ``mean (L_k - S_k)^2``. The adversarial term is that of their eq. 6, which
the network minimises as it is written: ``log(1 - D(G(b)))``. Its gradient vanishes where the discriminator is sure, and this one
becomes sure of everything. With the form ``- log D(G(b))`` its gradient then outweighs the content loss: faces had lost 6 dB
after 28,000 images.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from lightning_fabric import Fabric
from torch import Tensor

from streamdeblur.training.batches import Batch
from streamdeblur.training.cgan import frozen
from streamdeblur.training.compared.method import Check, Losses
from streamdeblur.training.config import ComparedSettings
from streamdeblur.training.loop import Stateful
from streamdeblur.training.losses import adversarial_loss, discriminator_loss
from streamdeblur.training.networks.compared.nah import NahDiscriminator, NahNetwork, image_pyramid
from streamdeblur.training.networks.compared.presets import NahPreset
from streamdeblur.training.trainer import Trainer


class NahTraining:
    """See `ComparedMethod`."""

    def __init__(self, fabric: Fabric, preset: NahPreset, settings: ComparedSettings) -> None:
        self._fabric, self._adversarial = fabric, preset.adversarial
        self.generator = NahNetwork(preset)
        self._learner = Trainer(fabric, self.generator, settings.optimiser, settings.steps)
        self.parts: dict[str, Stateful] = {"learner": self._learner}
        self._critic = NahDiscriminator(preset, settings.crop)
        if preset.adversarial:
            self._judge = Trainer(fabric, self._critic, settings.discriminator_optimiser, settings.steps)
            self.parts["judge"] = self._judge

    def step(self, batch: Batch, number: int, check: Check) -> Losses:
        """Train the discriminator, then the network."""
        with self._fabric.autocast():
            restored = self.generator.scales(batch.blurry)
        judged = self._judge_step(batch, restored[-1].detach(), number, check) if self._adversarial else {}
        targets = image_pyramid(batch.sharp)
        terms = {"content": torch.stack([F.mse_loss(*pair) for pair in zip(restored, targets, strict=True)]).mean() / 2}
        if self._adversarial:
            with self._fabric.autocast(), frozen(self._critic):
                terms["adversarial"] = self._adversarial * adversarial_loss(self._critic(restored[-1]).float(), "saturating")
        total = torch.stack(list(terms.values())).sum()
        check(terms)
        self._learner.step(total, number)
        return {"total": total, **terms, **judged}

    def _judge_step(self, batch: Batch, restored: Tensor, number: int, check: Check) -> Losses:
        with self._fabric.autocast():
            loss = discriminator_loss(self._critic(batch.sharp).float(), self._critic(restored).float())
        judged = {"discriminator": loss}
        check(judged)
        self._judge.step(loss, number)
        return judged
