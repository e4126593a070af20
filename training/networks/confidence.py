"""Confidence: how far a restoration is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from streamdeblur.training.networks.blocks import zero_initialised

HIDDEN = 32
INITIAL_LOGIT = 6.0
"""At first all of the restoration is trusted (0.998 after the sigmoid)."""


class Confidence(nn.Module):
    """Predicts the share of a restoration that brings a crop nearest to the sharp one.

    A restoration that is right is added as a whole; of one that is as often wrong as right, nothing is. Footage that the blur
    model does not describe, such as an upscaled or heavily compressed one, lies in between.
    """

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels + code, HIDDEN)
        self.head = nn.Linear(HIDDEN, 1)
        zero_initialised(self.head)
        nn.init.constant_(self.head.bias, INITIAL_LOGIT)

    def forward(self, features: Sequence[Tensor], code: Tensor) -> Tensor:
        """Predict from features, each [N, some of the channels, h, w], and blur codes [N, code]: [N, 1, 1, 1] in (0, 1).

        It does not train what they come from.
        """
        means = [level.detach().float().mean((2, 3)) for level in features]
        pooled = torch.cat([*means, code.detach().float()], 1)
        logit: Tensor = self.head(F.relu(self.hidden(pooled))).float()
        return torch.sigmoid(logit)[:, :, None, None]
