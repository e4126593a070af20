"""Validation during training, on pairs that the network is not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamdeblur.training.batches import collate
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.datasets.pair_sources import PairSource

BATCH_SIZE = 8
PANEL_ROWS = 4


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB of each image, [N]; images and targets are float [N, 3, H, W] in [0, 1]."""
    return -10.0 * (images - targets).square().mean((1, 2, 3)).clamp_min(1e-10).log10()


class Validation:
    """Measures a network on a fixed set of pairs, the same at every validation of a run."""

    def __init__(self, source: PairSource, count: int) -> None:
        """
        Args:
            source: Of the pairs.
            count: Number of pairs.
        """
        self._pairs: Sequence[Pair] = [source.pair(index) for index in range(count)]

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> tuple[dict[str, float], Tensor]:
        """Measure a network.

        Args:
            network: Maps blurry images to restored and coarse ones, all float [N, 3, H, W] in [0, 1].

        Returns:
            PSNR and gain over the blurry input in dB, by blur scheme; and a panel of the first pairs, float [3, H, W] in [0, 1],
            each row of which shows the blurry, the coarse, the restored and the sharp image.
        """
        device = next(network.parameters()).device
        values: dict[str, list[float]] = defaultdict(list)
        rows: list[Tensor] = []
        for start in range(0, len(self._pairs), BATCH_SIZE):
            pairs = self._pairs[start : start + BATCH_SIZE]
            batch = collate(pairs).to(device)
            restored, coarse = (images.float() for images in network(batch.blurry))
            before, after = psnr(batch.blurry, batch.sharp), psnr(restored, batch.sharp)
            for pair, blurred, deblurred in zip(pairs, before.tolist(), after.tolist(), strict=True):
                values[f"psnr/{pair.record['scheme']}"].append(deblurred)
                if pair.record["scheme"] != "sharp":
                    values[f"gain/{pair.record['scheme']}"].append(deblurred - blurred)
                    values["gain"].append(deblurred - blurred)
            for n in range(min(PANEL_ROWS - len(rows), len(pairs))):
                rows.append(torch.cat([batch.blurry[n], coarse[n], restored[n], batch.sharp[n]], dim=2))
        return {name: sum(items) / len(items) for name, items in sorted(values.items())}, torch.cat(rows, dim=1).cpu()
