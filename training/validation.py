"""Validation during training, on pairs that the network is not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamdeblur.training.batches import MakeSample, Sample, collate

BATCH_SIZE = 8
PANEL_ROWS = 4


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB of each image, [N]; images and targets are float [N, 3, H, W] in [0, 1]."""
    return -10.0 * (images - targets).square().mean((1, 2, 3)).clamp_min(1e-10).log10()


class Validation:
    """Measures a network on a fixed set of pairs, the same at every validation of a run."""

    def __init__(self, make: MakeSample, count: int, crops: Sequence[int]) -> None:
        """
        Args:
            make: Makes the pairs, or the sequences.
            count: Their number, for each size.
            crops: Sides in pixels of the crops of whole faces.
        """
        self._samples = {crop: [make(index, 1.0, crop, crop) for index in range(count)] for crop in crops}

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> tuple[dict[str, float], Tensor]:
        """Measure a network.

        Args:
            network: Maps blurry images, for sequences with their memory and its validity, to restored and, with a hourglass,
                coarse ones, all float [N, 3, H, W] in [0, 1].

        Returns:
            PSNR and gain over the blurry input in dB, by blur scheme, and by the side of the crops where there are several; and a
            panel of the first pairs of the first size, float [3, H, W] in [0, 1], each row of which shows the blurry, the
            coarse, the restored and the sharp image.
        """
        values: dict[str, float] = {}
        panels = []
        for crop, samples in self._samples.items():
            measured, panel = self._measure(network, samples)
            values |= {f"{name}/{crop}" if len(self._samples) > 1 else name: value for name, value in measured.items()}
            panels.append(panel)
        return values, panels[0]

    def _measure(self, network: nn.Module, of_one_size: Sequence[Sample]) -> tuple[dict[str, float], Tensor]:
        device = next(network.parameters()).device
        values: dict[str, list[float]] = defaultdict(list)
        rows: list[Tensor] = []
        for start in range(0, len(of_one_size), BATCH_SIZE):
            samples = of_one_size[start : start + BATCH_SIZE]
            batch = collate(samples).to(device)
            outputs = network(batch.blurry, *(batch.memory or ()))
            restored, *coarse = (images.float() for images in outputs[:2] if images.dim() == 4)
            before, after = psnr(batch.blurry, batch.sharp), psnr(restored, batch.sharp)
            for sample, blurred, deblurred in zip(samples, before.tolist(), after.tolist(), strict=True):
                values[f"psnr/{sample.record['scheme']}"].append(deblurred)
                if sample.record["scheme"] != "sharp":
                    values[f"gain/{sample.record['scheme']}"].append(deblurred - blurred)
                    values["gain"].append(deblurred - blurred)
            for n in range(min(PANEL_ROWS - len(rows), len(samples))):
                rows.append(torch.cat([images[n] for images in (batch.blurry, *coarse, restored, batch.sharp)], dim=2))
        return {name: sum(items) / len(items) for name, items in sorted(values.items())}, torch.cat(rows, dim=1).cpu()
