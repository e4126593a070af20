"""The blocks that the hourglass and the generator are made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def zero_initialised(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Set all weights of a layer to zero and return it: a residual branch that ends in it starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@contextmanager
def running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """Batch normalisation that trains in this context leaves the running statistics, which predictions use, as they are."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


class ResnetLayer(nn.Sequential):
    """Convolution, batch normalisation, ReLU (Sec. 3.1)."""

    def __init__(self, channels: int, filters: int, size: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(channels, filters, size, stride, size // 2), nn.BatchNorm2d(filters), nn.ReLU())

    def fold(self) -> None:
        """Fuse the batch normalisation, as it is at prediction, into the convolution."""
        convolution, normalisation = self[0], self[1]
        assert isinstance(convolution, nn.Conv2d)
        if isinstance(normalisation, nn.BatchNorm2d):
            self[0] = fuse_conv_bn_eval(convolution.eval(), normalisation.eval())
            self[1] = nn.Identity()


class ResnetBlock(nn.Module):
    """Three resnet layers and a shortcut (Sec. 3.1); 1 x 1, 3 x 3, 1 x 1, as in Newell et al. 2016."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        half = filters // 2
        self.layers = nn.Sequential(ResnetLayer(channels, half, 1), ResnetLayer(half, half, 3), ResnetLayer(half, filters, 1))
        self.around = nn.Identity() if channels == filters else nn.Conv2d(channels, filters, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, channels, h, w] to [N, filters, h, w]."""
        residual: Tensor = self.layers(features)
        shortcut: Tensor = self.around(features)
        return residual + shortcut


class PatchConv(nn.Conv2d):
    """A convolution of non-overlapping patches: its stride is the size of its filter.

    In training it runs as pixel-unshuffle and a 1 x 1 convolution, which compute the same: on CPUs the gradients of strided
    convolutions are many times slower.
    """

    def __init__(self, channels: int, filters: int, factor: int) -> None:
        super().__init__(channels, filters, factor, factor)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [N, channels, H, W] to [N, filters, H / factor, W / factor]."""
        if not self.training:
            return F.conv2d(images, self.weight, self.bias, self.stride)
        return F.conv2d(F.pixel_unshuffle(images, self.kernel_size[0]), self.weight.flatten(1)[:, :, None, None], self.bias)


class ModulatedBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions; the blur code scales the channels between them. It starts as the identity.

    The blur of a crop is nearly one kernel, to which plain convolutions cannot adapt. The convolutions are dense and without
    batch normalisation because CPUs run those fast.
    """

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(channels, channels, 3, padding=1)
        self.narrow = zero_initialised(nn.Conv2d(channels, channels, 3, padding=1))
        self.scale = zero_initialised(nn.Linear(code, channels))

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Map features [N, channels, h, w] to the same shape, given blur codes [N, code]."""
        hidden = F.relu(self.widen(features))
        scale = 1.0 + self.scale(code)
        branch: Tensor = self.narrow(hidden * scale[:, :, None, None].to(hidden.dtype))
        return features + branch


class ModulatedBlocks(nn.Module):
    """Modulated blocks in sequence."""

    def __init__(self, count: int, channels: int, code: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ModulatedBlock(channels, code) for _ in range(count))

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Apply all blocks; see `ModulatedBlock.forward`."""
        for block in self.blocks:
            features = block(features, code)
        return features
