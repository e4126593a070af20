"""Weights of trained networks, read from a run, a checkpoint or an exported network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from streamdeblur.engines.half import HALF_SUFFIX
from streamdeblur.errors import InputError, NetworkError
from streamdeblur.training.checkpoint import State, read_checkpoint
from streamdeblur.training.networks.unet import for_larger_patches
from streamdeblur.training.normalisation import identity_normalisation
from streamdeblur.training.onnx_module import read_onnx
from streamdeblur.training.run import CHECKPOINT

OPTIONAL = ("sharp_encoder.", "deconvolution.trust", "confidence.")
"""What a file may lack: the sharp pathway, which is not exported, and what other networks have not: trust in neighbours, and
confidence."""


def load_weights(network: nn.Module, path: Path, part: str) -> None:
    """Load trained weights into a network; of a run, those of its EMA.

    The sharp pathway, which is not exported, may be missing. Weights for patches of 4 px also fit a network that takes patches
    of 8 px, see `for_larger_patches`.

    Args:
        network: An `Hourglass` or a `TwoPathGenerator`.
        path: The folder of a run, a checkpoint, or an exported ONNX file.
        part: The part of an ONNX file to read, "hourglass" or "generator".

    Raises:
        InputError: The file cannot be read.
        NetworkError: The network in it has another shape.
    """
    weights = read_exported_weights(path, part) if path.suffix == ".onnx" else read_run_weights(path)
    own = network.state_dict()
    weights = for_larger_patches(weights, own)
    for module_name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and f"{module_name}.weight" not in weights:
            # the export has fused the trained one into its convolution
            weights |= {f"{module_name}.{key}": value for key, value in identity_normalisation(module).items()}
    weights |= {name: value for name, value in own.items() if name.endswith("num_batches_tracked") and name not in weights}
    missing = [name for name in own if name not in weights and not name.startswith(OPTIONAL)]
    differing = [name for name in own if name in weights and weights[name].shape != own[name].shape]
    if missing or differing:
        name = (missing + differing)[0]
        raise NetworkError(
            f"{path} holds no {part} of this shape (first difference: {name}). Use the configuration that it was made with."
        )
    network.load_state_dict({name: weights.get(name, value) for name, value in own.items()})


def read_run_weights(path: Path) -> dict[str, Tensor]:
    """Read the averaged weights of a run's folder or of a checkpoint, by name.

    Raises:
        InputError: The checkpoint is missing or damaged.
    """
    return averaged_weights(read_checkpoint(path / CHECKPOINT if path.is_dir() else path))


def averaged_weights(state: State) -> dict[str, Tensor]:
    """Return the weights of the EMA in the state of a checkpoint, by name."""
    return {name: value for name, value in state["average"].items() if isinstance(value, Tensor)}


def read_exported_weights(path: Path, part: str) -> dict[str, Tensor]:
    """Read the weights of one part of an exported network, float32, by their names in the part.

    Args:
        path: An ONNX file that `export` wrote, of any precision.
        part: "hourglass" or "generator".

    Raises:
        InputError: The file cannot be read.
    """
    model = read_onnx(path)
    metadata = {item.key: item.value for item in model.metadata_props}
    try:
        shared = json.loads(metadata.get("shared_weights", "{}"))
    except ValueError as error:
        raise InputError(f"Cannot read the network {path}: {error}") from None
    # a network that computes in half precision has its weights under names with a suffix
    tensors = {tensor.name.removesuffix(HALF_SUFFIX): tensor for tensor in model.graph.initializer}
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    arrays |= {name: arrays[other] for name, other in shared.items()}
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(array, np.float32))
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
