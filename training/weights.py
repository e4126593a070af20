"""Weights that a training begins with: of another run, or of an exported network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from streamdeblur.engines.half import HALF_SUFFIX
from streamdeblur.errors import InputError, NetworkError
from streamdeblur.training.checkpoint import State, read_checkpoint
from streamdeblur.training.run import CHECKPOINT


def load_weights(network: nn.Module, path: Path, part: str) -> None:
    """Give `network` the weights of one part, 'hourglass' or 'generator', of a run's folder, a checkpoint or an ONNX file.

    Of a run the averaged weights are taken. Parts that exist in training only (the sharp pathway) may be missing.

    Raises:
        InputError: the file cannot be read.
        NetworkError: its network has another shape.
    """
    weights = read_exported_weights(path, part) if path.suffix == ".onnx" else read_run_weights(path)
    own = network.state_dict()
    for module_name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and f"{module_name}.weight" not in weights:
            weights |= _folded(module_name, module)
    weights |= {name: value for name, value in own.items() if name.endswith("num_batches_tracked") and name not in weights}
    missing = [name for name in own if name not in weights and not name.startswith("sharp_encoder.")]
    differing = [name for name in own if name in weights and weights[name].shape != own[name].shape]
    if missing or differing:
        name = (missing + differing)[0]
        raise NetworkError(
            f"{path} holds no {part} of this shape (first difference: {name}). Use the configuration that it was made with."
        )
    network.load_state_dict({name: weights.get(name, value) for name, value in own.items()})


def read_run_weights(path: Path) -> dict[str, Tensor]:
    return averaged_weights(read_checkpoint(path / CHECKPOINT if path.is_dir() else path))


def averaged_weights(state: State) -> dict[str, Tensor]:
    """The averaged weights in a checkpoint."""
    return {name: value for name, value in state["average"].items() if isinstance(value, Tensor)}


def read_exported_weights(path: Path, part: str) -> dict[str, Tensor]:
    import onnx

    try:
        model = onnx.load(str(path))
        metadata = {item.key: item.value for item in model.metadata_props}
        shared = json.loads(metadata.get("shared_weights", "{}"))
    except Exception as error:
        # (protobuf and onnx raise errors of many kinds)
        raise InputError(f"Cannot read the network {path}: {error}") from None
    # a network that computes in half precision has its weights under names of their own
    tensors = {tensor.name.removesuffix(HALF_SUFFIX): tensor for tensor in model.graph.initializer}
    arrays = {name: onnx.numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    arrays |= {name: arrays[other] for name, other in shared.items()}
    begin = f"{part}."
    return {
        name[len(begin) :]: torch.from_numpy(np.array(array, np.float32))
        for name, array in arrays.items()
        if name.startswith(begin)
    }


def _folded(name: str, normalisation: nn.BatchNorm2d) -> dict[str, Tensor]:
    """What a batch normalisation is after it was folded into its convolution: nothing."""
    ones, zeros = torch.ones(normalisation.num_features), torch.zeros(normalisation.num_features)
    weights = {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones - normalisation.eps}
    return {f"{name}.{key}": value for key, value in weights.items()}
