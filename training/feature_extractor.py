"""Feature extractors: of the identity ("VGG") term of the paper's self evaluation (Sec. 5.3), and of perceptual losses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from streamdeblur.errors import InputError, OptionError
from streamdeblur.training.onnx_module import OnnxModule

Extractor = Callable[[Tensor], Tensor]
"""Maps images, float [N, 3, H, W], RGB in [0, 1], to features of any shape; differentiable."""

VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")
"""Layers of Simonyan & Zisserman 2015, configuration D; numbers are channels."""
CONV3_3 = 15
"""Layers up to conv3_3, without its ReLU."""
VGG_MEAN, VGG_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ONNX_SIDE = 112
"""Side of the input in pixels, for a network whose file leaves it open."""


def vgg16() -> nn.Sequential:
    """Build the convolutional part of VGG-16, whose weights are named as torchvision's are after ``features.``."""
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG16:
        if isinstance(width, int):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def open_extractor(name: str, device: torch.device, *, middle: bool = False) -> Extractor:
    """Open a feature extractor.

    Args:
        name: ``FILE.onnx``, for example InsightFace's ArcFace, which gets RGB in [-1, 1] at the size of its input; or
            ``vgg16:FILE.safetensors``, torchvision's weights of VGG-16, which gets images normalised as for ImageNet.
        device: Where to run it.
        middle: Whether to end VGG-16 with conv3_3, and other networks with their last features of a quarter of the resolution,
            which show where in the image something is. Such a network gets images as large as they are.

    Returns:
        The extractor, with frozen weights.

    Raises:
        OptionError: `name` is neither.
        InputError: The file cannot be read, or its network cannot be run with torch, or has no such features.
    """
    kind, _, file = name.partition(":")
    if kind == "vgg16" and file:
        network = _load_vgg(Path(file))
        return _NormalisedInput(network[:CONV3_3] if middle else network, None, VGG_MEAN, VGG_DEVIATION).to(device)
    if name.endswith(".onnx"):
        embedding = OnnxModule(Path(name))
        side = embedding.input_side or ONNX_SIDE
        if middle:
            embedding.end_in_the_middle(side)
        return _NormalisedInput(embedding, None if middle else side, (0.5,) * 3, (0.5,) * 3).to(device)
    raise OptionError(
        f"This training compares features, and needs their network (got {name or 'none'!r}): give FILE.onnx or vgg16:FILE to "
        "--identity, or to --features for a compared method."
    )


def _load_vgg(path: Path) -> nn.Sequential:
    network = vgg16()
    try:
        weights = {name.removeprefix("features."): value for name, value in load_file(path).items()}
        network.load_state_dict({name: value for name, value in weights.items() if name in network.state_dict()})
    except (OSError, SafetensorError) as error:
        raise InputError(f"Cannot read the weights {path}: {error}") from None
    except RuntimeError:
        raise InputError(f"{path} does not hold the weights of VGG-16: 'features.0.weight' to 'features.28.bias'.") from None
    return network


class _NormalisedInput(nn.Module):
    """A frozen network, with the resizing and normalisation that its input needs."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, side: int | None, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.side = side
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if self.side is not None:
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", align_corners=False, antialias=True)
        features: Tensor = self.network((images - self.mean) / self.deviation)
        return features
