"""Training of Chakrabarti 2016: the squared error of the restored patches, before they are averaged.

The kernel of the whole crop and the deconvolution with it have no weights, and are not part of the training.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from lightning_fabric import Fabric
from torch import Tensor

from streamdeblur.training.batches import Batch
from streamdeblur.training.compared.method import Check, Losses
from streamdeblur.training.config import ComparedSettings
from streamdeblur.training.loop import Stateful
from streamdeblur.training.networks.compared.chakrabarti import BORDER, RESTORED, ChakrabartiNetwork
from streamdeblur.training.networks.compared.presets import ChakrabartiPreset
from streamdeblur.training.networks.deconvolution import reduced_luma
from streamdeblur.training.trainer import Trainer


class ChakrabartiTraining:
    """See `ComparedMethod`."""

    def __init__(self, fabric: Fabric, preset: ChakrabartiPreset, settings: ComparedSettings) -> None:
        self._fabric = fabric
        self.generator = ChakrabartiNetwork(preset)
        self._learner = Trainer(fabric, self.generator, settings.optimiser, settings.steps)
        self.parts: dict[str, Stateful] = {"learner": self._learner}

    def step(self, batch: Batch, number: int, check: Check) -> Losses:
        """Train the prediction of filters."""
        blurry, sharp = reduced_luma(batch.blurry, 1), reduced_luma(batch.sharp, 1)
        with self._fabric.autocast():
            corrections = self.generator.corrections(blurry)
        loss = F.mse_loss(corrections, self._patches(sharp - blurry, corrections))
        losses = {"patches": loss}
        check(losses)
        # the sum over a patch: the gradients of its mean would be as small as the term that Adam adds to their size
        self._learner.step(RESTORED**2 * loss, number)
        return losses

    def _patches(self, planes: Tensor, like: Tensor) -> Tensor:
        """The middles of the patches of planes [N, 1, H, W]."""
        inner = planes[..., BORDER:-BORDER, BORDER:-BORDER]
        return F.unfold(inner, RESTORED, stride=self.generator.stride).reshape(like.shape)
