"""The state of a run in one safetensors file: weights, optimisers, random number generators, position in the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from streamdeblur.errors import InputError, OutputError
from streamdeblur.partial_file import write_file

State = dict[str, Any]
"""Nested dictionaries and lists of tensors and JSON values, as `state_dict` returns them."""

_METADATA_KEY = "state"
# what stands in the JSON for a tensor (its name), and for a dictionary whose keys are not strings (a list of pairs)
_TENSOR = "__tensor__"
_PAIRS = "__pairs__"


def write_checkpoint(path: Path, state: State) -> None:
    """Write `state` so that `path` is at any moment either the former file or the new one.

    Raises:
        OutputError: The disk is full, or the folder cannot be written to; the former file is intact.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_extract_tensors(state, "", tensors))
    try:
        write_file(path, save(tensors, {_METADATA_KEY: skeleton}))
    except OutputError as error:
        raise OutputError(f"{error} The former checkpoint is intact.") from None


def read_checkpoint(path: Path) -> State:
    """Read the state in a checkpoint, with its tensors on the CPU.

    Raises:
        InputError: The file is missing, damaged or not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})[_METADATA_KEY])
            return dict(_insert_tensors(skeleton, {name: file.get_tensor(name) for name in file.keys()}))  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a complete checkpoint ({error}). Remove it to start again.") from None


def _extract_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON can hold it, with the name of each tensor in its place; the tensors are added to `tensors`."""
    if isinstance(value, Tensor):
        # safetensors refuses two names for one memory.
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _extract_tensors(item, f"{name}.{key}" if name else key, tensors) for key, item in value.items()}
        return {_PAIRS: [[key, _extract_tensors(item, f"{name}.{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_extract_tensors(item, f"{name}.{number}", tensors) for number, item in enumerate(value)]
    return value


def _insert_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `_extract_tensors`."""
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _PAIRS in value:
            return {key: _insert_tensors(item, tensors) for key, item in value[_PAIRS]}
        return {key: _insert_tensors(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_insert_tensors(item, tensors) for item in value]
    return value


def random_state() -> State:
    """Return the state of torch's random number generators on the CPU and on each GPU."""
    return {"cpu": torch.get_rng_state(), "gpus": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def restore_random_state(state: State) -> None:
    """Restore what `random_state` returned; states of GPUs only if there are as many GPUs as then."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["gpus"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpus"])
