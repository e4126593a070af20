"""Figures of a network on pairs that it is not trained on, while it is trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamdeblur.training.batches import collate
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.datasets.sources import PairSource

AT_ONCE = 8
SHOWN = 4


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Peak signal to noise ratio of each image in dB, [N]; images [N, 3, H, W] in [0, 1]."""
    return -10.0 * (images - targets).square().mean((1, 2, 3)).clamp_min(1e-10).log10()


class Validation:
    """A fixed set of pairs, the same at every validation of a run."""

    def __init__(self, source: PairSource, count: int) -> None:
        self._pairs: Sequence[Pair] = [source.pair(index) for index in range(count)]

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> tuple[dict[str, float], Tensor]:
        """PSNR by scheme, and gain over the blurry input, in dB; and a panel of the first pairs, float [3, H, W] in [0, 1].

        `network` takes blurry images to (restored, coarse) ones, float [N, 3, H, W] in [0, 1].
        """
        device = next(network.parameters()).device
        values: dict[str, list[float]] = defaultdict(list)
        rows: list[Tensor] = []
        for begin in range(0, len(self._pairs), AT_ONCE):
            pairs = self._pairs[begin : begin + AT_ONCE]
            batch = collate(list(pairs)).to(device)
            restored, coarse = (images.float() for images in network(batch.blurry))
            before, after = psnr(batch.blurry, batch.sharp), psnr(restored, batch.sharp)
            for pair, blurred, deblurred in zip(pairs, before.tolist(), after.tolist(), strict=True):
                values[f"psnr/{pair.record['scheme']}"].append(deblurred)
                if pair.record["scheme"] != "sharp":
                    values[f"gain/{pair.record['scheme']}"].append(deblurred - blurred)
                    values["gain"].append(deblurred - blurred)
            for shown in range(min(SHOWN - len(rows), len(pairs))):
                rows.append(torch.cat([batch.blurry[shown], coarse[shown], restored[shown], batch.sharp[shown]], dim=2))
        return {name: sum(of) / len(of) for name, of in sorted(values.items())}, torch.cat(rows, dim=1).cpu()
