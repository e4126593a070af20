"""A trained network whose restorations another, cheaper one learns to give (distillation).

What a network can know of a crop is less than what the sharp one shows: a network that learns from a teacher of the same crops is
not asked for the rest, which to it is noise (G. Hinton et al., "Distilling the knowledge in a neural network", 2015).
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from streamdeblur.errors import InputError
from streamdeblur.training.networks.generator import TwoPathGenerator
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.presets import NetworkPreset
from streamdeblur.training.networks.two_step import TwoStepNetwork
from streamdeblur.training.onnx_module import read_onnx
from streamdeblur.training.weights import load_weights


class Teacher:
    """Restores crops as a trained network does; nothing of it is trained."""

    def __init__(self, network: TwoStepNetwork) -> None:
        self._network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, blurry: Tensor) -> Tensor:
        """Restore crops, float [N, 3, H, W], RGB in [0, 1], each alone: the same shape and range."""
        restored: Tensor = self._network(blurry)[0]
        return restored


def open_teacher(path: Path, device: torch.device) -> Teacher:
    """Open an exported network as a teacher.

    Args:
        path: An ONNX file that `streamdeblur export` wrote.
        device: Where to run it.

    Raises:
        InputError: The file cannot be read, or does not say how its network was trained.
        NetworkError: Its weights are not those of the network that it says it has.
    """
    return Teacher(read_exported(path).to(device))


def read_exported(path: Path) -> TwoStepNetwork:
    """Read an exported network as PyTorch modules.

    Args:
        path: An ONNX file that `streamdeblur export` wrote.

    Raises:
        InputError: The file cannot be read, or does not say how its network was trained.
        NetworkError: Its weights are not those of the network that it says it has.
    """
    metadata = {item.key: item.value for item in read_onnx(path).metadata_props}
    try:
        # only the shapes: files of former versions have other settings beside them
        preset = NetworkPreset(**json.loads(metadata["config"])["network"])
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{path} is no network that 'streamdeblur export' wrote; a teacher is one.") from None
    hourglass = Hourglass(preset.hourglass) if preset.generator.needs_hourglass else None
    if hourglass is not None:
        load_weights(hourglass, path, "hourglass")
    generator = TwoPathGenerator(preset.generator, preset.hourglass.code)
    load_weights(generator, path, "generator")
    draft = None
    if preset.draft is not None:
        draft = TwoPathGenerator(preset.draft, preset.hourglass.code)
        load_weights(draft, path, "draft")
    return TwoStepNetwork(hourglass, generator, draft)
