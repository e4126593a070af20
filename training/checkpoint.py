"""The state of a run in one safetensors file: weights, optimisers, random numbers, and where in the data it stands."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from streamdeblur.errors import InputError, OutputError

State = dict[str, Any]
"""Nested dictionaries, lists, tensors and what JSON holds, as `state_dict` returns them."""

_KEPT = "state"
_TENSOR = "__tensor__"
_PAIRS = "__pairs__"


def write_checkpoint(path: Path, state: State) -> None:
    """Write `state` so that `path` is at any moment either the former file or the new one.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to; the former file is whole.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_take_tensors(state, "", tensors))
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(save(tensors, {_KEPT: skeleton}))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"Cannot write the checkpoint {path}: {error.strerror}. The one before it is whole.") from None


def read_checkpoint(path: Path) -> State:
    """The state in a checkpoint, its tensors on the CPU.

    Raises:
        InputError: it is not a whole checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})[_KEPT])
            return dict(_give_tensors(skeleton, {name: file.get_tensor(name) for name in file.keys()}))  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a whole checkpoint ({error}). Remove it to begin anew.") from None


def _take_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`value` with each tensor moved to `tensors` and its name in its place: what JSON can hold."""
    if isinstance(value, Tensor):
        # (safetensors refuses two names for one memory)
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _take_tensors(item, f"{name}.{key}" if name else key, tensors) for key, item in value.items()}
        return {_PAIRS: [[key, _take_tensors(item, f"{name}.{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_take_tensors(item, f"{name}.{number}", tensors) for number, item in enumerate(value)]
    return value


def _give_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _PAIRS in value:
            return {key: _give_tensors(item, tensors) for key, item in value[_PAIRS]}
        return {key: _give_tensors(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_give_tensors(item, tensors) for item in value]
    return value


def random_state() -> State:
    """The state of torch's random numbers on the CPU and each GPU."""
    return {"cpu": torch.get_rng_state(), "gpus": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def restore_random_state(state: State) -> None:
    """Go on with the random numbers of `random_state`."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["gpus"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpus"])
