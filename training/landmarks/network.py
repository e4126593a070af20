"""The landmark network: an encoder and decoder of residual blocks, a heatmap for each point, and the means of the heatmaps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamdeblur.evaluation.metrics.heatmap_landmarks import POINTS, SIDE
from streamdeblur.training.landmarks.settings import LandmarkNetworkSettings

REDUCTION = 4
"""Pixels of the input for each of a heatmap."""
LEAST_CONTRAST = 0.02
"""Added to the deviation by which an input is divided."""


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))


def _down(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(*_normed(nn.Conv2d(channels, out, 3, 2, 1, bias=False)), nn.ReLU())


class Bottleneck(nn.Module):
    """The residual block of K. He et al. 2016, with half of the channels inside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.body = nn.Sequential(
            *_normed(nn.Conv2d(channels, inner, 1, bias=False)),
            nn.ReLU(),
            *_normed(nn.Conv2d(inner, inner, 3, padding=1, bias=False)),
            nn.ReLU(),
            *_normed(nn.Conv2d(inner, channels, 1, bias=False)),
        )
        last = self.body[-1]
        assert isinstance(last, nn.BatchNorm2d)
        # a block begins as nothing, so that the first steps are those of a shallow network
        nn.init.zeros_(last.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape, [N, C, H, W]."""
        return torch.relu(features + self.body(features))


class Stage(nn.Module):
    """What brings features to a resolution, and residual blocks there."""

    def __init__(self, entry: nn.Module, channels: int, count: int) -> None:
        super().__init__()
        self.entry = entry
        self.blocks = nn.Sequential(*(Bottleneck(channels) for _ in range(count)))

    def forward(self, features: Tensor, beside: Tensor | float = 0.0) -> Tensor:
        """Return the features of this stage; `beside` are those of the same resolution on the way down."""
        out: Tensor = self.blocks(self.entry(features) + beside)
        return out


def _up(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 1), nn.Upsample(scale_factor=2.0))


class LandmarkNetwork(nn.Module):
    """Computes a heatmap for each of the 68 points of a face."""

    def __init__(self, settings: LandmarkNetworkSettings) -> None:
        super().__init__()
        fine, middle, coarse = settings.widths
        counts, returning = settings.blocks, settings.returning
        self.stem = _down(1, settings.stem)
        self.fine = Stage(_down(settings.stem, fine), fine, counts[0])
        self.middle = Stage(_down(fine, middle), middle, counts[1])
        self.coarse = Stage(_down(middle, coarse), coarse, counts[2])
        self.to_middle = Stage(_up(coarse, middle), middle, returning[1])
        self.to_fine = Stage(_up(middle, fine), fine, returning[0])
        self.head = nn.Conv2d(fine, POINTS, 1)

    def forward(self, luma: Tensor) -> Tensor:
        """Return the logarithms of the heatmaps but for a constant, [N, 68, 32, 32].

        Args:
            luma: [N, 1, 128, 128] in any range, as brightness and contrast are taken out.
        """
        deviation, mean = torch.std_mean(luma, (1, 2, 3), keepdim=True)
        fine = self.fine(self.stem((luma - mean) / (deviation + LEAST_CONTRAST)))
        middle = self.middle(fine)
        fine = self.to_fine(self.to_middle(self.coarse(middle), middle), fine)
        heatmaps: Tensor = self.head(fine)
        return heatmaps


class PointNetwork(nn.Module):
    """Finds the points: what is exported."""

    def __init__(self, network: LandmarkNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, luma: Tensor) -> Tensor:
        """Return the points of faces, [N, 68, 2]: x and y in pixels of the input, [N, 1, 128, 128]."""
        return points_of(probabilities(self.network(luma)))


def places() -> Tensor:
    """Return the place of each column or row of a heatmap in pixels of the input, [32]."""
    return (torch.arange(SIDE // REDUCTION, dtype=torch.float32) + 0.5) * REDUCTION - 0.5


def probabilities(heatmaps: Tensor) -> Tensor:
    """Return heatmaps whose sums are 1, of their logarithms, [N, 68, 32, 32]."""
    return heatmaps.flatten(2).softmax(-1).view(-1, POINTS, SIDE // REDUCTION, SIDE // REDUCTION)


def points_of(heatmaps: Tensor) -> Tensor:
    """Return the means of heatmaps whose sums are 1, [N, 68, H, W], as points [N, 68, 2]."""
    at = places().to(heatmaps.device)
    return torch.stack([(heatmaps.sum(2) * at).sum(-1), (heatmaps.sum(3) * at).sum(-1)], -1)
