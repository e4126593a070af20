"""A compared network in the form that is validated and exported."""

from __future__ import annotations

from torch import Tensor, nn

from streamdeblur.training.networks.compared.chakrabarti import ChakrabartiNetwork
from streamdeblur.training.networks.compared.kupyn import KupynNetwork
from streamdeblur.training.networks.compared.nah import NahNetwork
from streamdeblur.training.networks.compared.presets import ChakrabartiPreset, ComparedPreset, KupynPreset, NahPreset
from streamdeblur.training.networks.compared.zhu import ZhuNetwork

Generator = NahNetwork | KupynNetwork | ZhuNetwork | ChakrabartiNetwork


class ComparedNetwork(nn.Module):
    """Restores crops, with the interface of a `TwoStepNetwork`."""

    memory = 0
    reduction = 2

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return list(self.generator.outputs)

    def forward(self, blurry: Tensor) -> tuple[Tensor, ...]:
        """Restore blurry crops, float [N, 3, H, W], RGB in [0, 1]: the images of each output, clamped to [0, 1]."""
        return tuple(images.clamp(0.0, 1.0) for images in self.generator(blurry))


def build_generator(preset: ComparedPreset) -> Generator:
    """Build what restores in one of the compared methods."""
    if isinstance(preset, NahPreset):
        return NahNetwork(preset)
    if isinstance(preset, KupynPreset):
        return KupynNetwork(preset)
    return ChakrabartiNetwork(preset) if isinstance(preset, ChakrabartiPreset) else ZhuNetwork(preset)
