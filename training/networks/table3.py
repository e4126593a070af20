"""Encoder and decoder of the generator as in Table 3 (preset `paper`).

Each convolution is followed by a ReLU, then batch normalisation; the first and the last layer have no normalisation. The table
leaves two choices open. The U-net skips join encoder layers 2 and 3 to the decoder layers of the same resolution, concatenated as
in Ronneberger et al. 2015. The residual connections have no filter, so their size is matched by averaging or repeating, and their
channels by zeros or averaging.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

ENCODER = ((4, 64, 1), (4, 128, 2), (4, 256, 2), (4, 512, 2), (4, 512, 2), (4, 512, 2), (4, 512, 2), (1, 256, 2))
"""Filter size, filters and stride of each layer of Table 3 (a)."""
DECODER = ((1, 1024, 2), (4, 512, 2), (4, 512, 2), (4, 512, 2), (4, 256, 2), (4, 128, 2), (4, 64, 2), (4, 3, 1))
"""The same of Table 3 (b); transposed convolutions. The last one has 3 filters or 1."""
KEEP_PROBABILITIES = (0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Dropout's probability of keeping a value, for each layer of the decoder."""
ENCODER_RESIDUALS = (1, 3, 5)
DECODER_RESIDUALS = (1, 3)
"""Layers (from 1) after which a residual connection begins; it skips two layers."""
RESIDUAL_FACTOR = 4
"""Ratio of the resolutions at the two ends of a residual connection."""
SKIPS = {5: 3, 6: 2}
"""Decoder layers whose output is concatenated with that of an encoder layer."""


def encoder_residual(features: Tensor, channels: int) -> Tensor:
    """Apply the residual connection over two encoder layers: average by 4 x 4, and add channels of zeros."""
    return F.pad(F.avg_pool2d(features, RESIDUAL_FACTOR), (0, 0, 0, 0, 0, channels - features.shape[1]))


def decoder_residual(features: Tensor, channels: int) -> Tensor:
    """Apply the residual connection over two decoder layers: repeat 4 x 4 times, and average neighbouring channels."""
    folded = torch.unflatten(features, 1, (channels, features.shape[1] // channels)).mean(2)
    return F.interpolate(folded, scale_factor=RESIDUAL_FACTOR, mode="nearest")


class Table3Encoder(nn.Module):
    """Table 3 (a): images [N, channels, 256, 256] to a code [N, 256, 2, 2], and the outputs of the layers with U-net skips."""

    def __init__(self, channels: int, width: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for number, (size, filters, stride) in enumerate(ENCODER):
            filters = round(filters * width)
            # an even filter at stride 1 needs one more row and column after than before to keep the size
            padding = nn.ZeroPad2d((1, 2, 1, 2) if stride == 1 else (size - 1) // 2)
            layer = [padding, nn.Conv2d(channels, filters, size, stride), nn.ReLU()]
            self.layers.append(nn.Sequential(*layer, *([nn.BatchNorm2d(filters)] if number else [])))
            channels = filters
        self.channels = {number: round(ENCODER[number - 1][1] * width) for number in SKIPS.values()}

    def forward(self, images: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Return the code, and the outputs for the U-net skips by the number of their layer."""
        outputs: dict[int, Tensor] = {}
        features = images
        for number, layer in enumerate(self.layers, start=1):
            features = layer(features)
            if number - 2 in ENCODER_RESIDUALS:
                features = features + encoder_residual(outputs[number - 2], features.shape[1])
            outputs[number] = features
        return features, {number: outputs[number] for number in SKIPS.values()}


class Table3Decoder(nn.Module):
    """Table 3 (b): the encoder's outputs to images [N, channels, 256, 256]. Both pathways share one decoder."""

    def __init__(self, width: float, images: int = 3) -> None:
        """
        Args:
            width: Number of filters relative to Table 3.
            images: Channels of the images, 1 or 3.
        """
        super().__init__()
        self.layers = nn.ModuleList()
        channels = round(ENCODER[-1][1] * width)
        for number, (size, filters, stride) in enumerate(DECODER, start=1):
            last = number == len(DECODER)
            filters = images if last else round(filters * width)
            # output_padding makes the 1 x 1 filter of the first layer double the size as well
            convolution = nn.ConvTranspose2d(channels, filters, size, stride, (size - 1) // 2, output_padding=int(size == 1))
            rest = [] if last else [nn.ReLU(), nn.BatchNorm2d(filters), nn.Dropout(1 - KEEP_PROBABILITIES[number - 1])]
            self.layers.append(nn.Sequential(convolution, *rest))
            channels = filters + (round(ENCODER[SKIPS[number] - 1][1] * width) if number in SKIPS else 0)

    def forward(self, code: Tensor, skips: dict[int, Tensor]) -> Tensor:
        """Return the images, not clamped; the arguments are as `Table3Encoder` returns them."""
        outputs: dict[int, Tensor] = {}
        features = code
        for number, layer in enumerate(self.layers, start=1):
            features = layer(features)
            if number - 2 in DECODER_RESIDUALS:
                features = features + decoder_residual(outputs[number - 2], features.shape[1])
            outputs[number] = features
            if number in SKIPS:
                features = torch.cat([features, skips[SKIPS[number]]], dim=1)
        # a 4 x 4 filter at stride 1 gives one row and one column too many
        return features[..., : skips[2].shape[-2] * 2, : skips[2].shape[-1] * 2]
