"""Training of Zhu et al. 2017 (CycleGAN), with images that are not paired.

The discriminators minimise squared distances from 1 for real and 0 for generated images (X. Mao et al. 2017), half of the sum.
The generators minimise the squared distance from 1 of the verdicts on what they generate, 10 times the l1 distance of ``F(G(x))``
from x and of ``G(F(y))`` from y, and 5 times that of ``G(y)`` from y and of ``F(x)`` from x. The discriminators see images from a
history of 50 (A. Shrivastava et al. 2017) in place of half of the new ones. Images are in [-1, 1].
"""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor

from streamdeblur.training.batches import Batch
from streamdeblur.training.cgan import frozen
from streamdeblur.training.checkpoint import State
from streamdeblur.training.compared.method import Check, Losses
from streamdeblur.training.config import ComparedSettings
from streamdeblur.training.loop import Stateful
from streamdeblur.training.losses import l1
from streamdeblur.training.networks.compared.presets import ZhuPreset
from streamdeblur.training.networks.compared.zhu import BothDiscriminators, BothGenerators, Translation
from streamdeblur.training.trainer import Trainer


class ZhuTraining:
    """See `ComparedMethod`."""

    def __init__(self, fabric: Fabric, preset: ZhuPreset, settings: ComparedSettings) -> None:
        self._fabric, self._preset = fabric, preset
        self._generators, self._critics = BothGenerators(preset), BothDiscriminators(preset)
        self.generator = self._generators.restoring
        self._learner = Trainer(fabric, self._generators, settings.optimiser, settings.steps)
        self._judge = Trainer(fabric, self._critics, settings.discriminator_optimiser, settings.steps)
        self._blurred, self._restored = History(preset.history), History(preset.history)
        self.parts: dict[str, Stateful] = {
            "learner": self._learner, "judge": self._judge, "blurred": self._blurred, "restored": self._restored,
        }  # fmt: skip

    def step(self, batch: Batch, number: int, check: Check) -> Losses:
        """Train the generators, then the discriminators, as the original does."""
        blurry, sharp = 2 * batch.blurry - 1, 2 * batch.sharp - 1
        with self._fabric.autocast(), frozen(self._critics):
            translation = self._generators(blurry, sharp)
            terms = self._terms(translation, blurry, sharp)
        total = torch.stack(list(terms.values())).sum()
        check(terms)
        self._learner.step(total, number)
        generated = self._blurred(translation.blurred.detach()), self._restored(translation.restored.detach())
        with self._fabric.autocast():
            real = self._critics(blurry, sharp)
            pairs = zip(real, self._critics(*generated), strict=True)
            loss = torch.stack([_towards(1, verdicts) + _towards(0, others) for verdicts, others in pairs]).sum() / 2
        judged = {"discriminators": loss}
        check(judged)
        self._judge.step(loss, number)
        return {"total": total, **terms, **judged}

    def _terms(self, made: Translation, blurry: Tensor, sharp: Tensor) -> dict[str, Tensor]:
        """The weighted terms of the generators."""
        verdicts = self._critics(made.blurred, made.restored)
        cycle = l1(made.blurry_again, blurry) + l1(made.sharp_again, sharp)
        identity = l1(made.blurred_blurry, blurry) + l1(made.restored_sharp, sharp)
        return {
            "adversarial": _towards(1, verdicts[0]) + _towards(1, verdicts[1]),
            "cycle": self._preset.cycle * cycle,
            "identity": self._preset.identity * identity,
        }


def _towards(target: float, verdicts: Tensor) -> Tensor:
    """The mean squared distance of verdicts from a target."""
    return (verdicts.float() - target).square().mean()


class History:
    """Generated images of former steps, half of which take the place of new ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._images: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Take images [N, 3, H, W] in; return as many, half of them former ones once there are enough."""
        if self._images is not None and self._images.shape[1:] != images.shape[1:]:
            # one tensor holds images of one size
            self._images = None
        # as a checkpoint holds them
        returned, kept = images.clone(), images.half()
        for n in range(len(images)):
            filled = 0 if self._images is None else len(self._images)
            if filled < self._size:
                new = kept[n : n + 1].clone()
                self._images = new if self._images is None else torch.cat([self._images, new])
            elif self._images is not None and torch.rand(()) < 0.5:
                place = int(torch.randint(filled, ()))
                returned[n] = self._images[place].to(images.dtype)
                self._images[place] = kept[n]
        return returned

    def state_dict(self) -> State:
        """Return the images."""
        return {} if self._images is None else {"images": self._images}

    def load_state_dict(self, state: State) -> None:
        """Restore what `state_dict` returned."""
        self._images = state.get("images")
