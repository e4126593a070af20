"""A checkpoint is complete or absent."""

from __future__ import annotations

import os

import pytest
import torch

from streamdeblur.errors import InputError, OutputError
from streamdeblur.training.checkpoint import random_state, read_checkpoint, restore_random_state, write_checkpoint
from support.disks import files_of_at_most


def test_a_state_is_restored(tmp_path):
    weights = torch.rand(3, 4)
    state = {
        "weights": weights,
        "shared": weights,
        "transposed": weights.T,
        "optimiser": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "groups": [{"lr": 1e-3, "betas": [0.9, 0.98]}]},
        "images": 12,
        "none": None,
    }
    write_checkpoint(tmp_path / "state.safetensors", state)
    kept = read_checkpoint(tmp_path / "state.safetensors")
    assert torch.equal(kept["transposed"], weights.T)
    assert torch.equal(kept["shared"], weights)
    assert kept["optimiser"]["state"] == {0: {"step": torch.tensor(3.0)}, 1: {}}
    assert kept["optimiser"]["groups"] == state["optimiser"]["groups"]
    assert (kept["images"], kept["none"]) == (12, None)


def test_random_numbers_continue(tmp_path):
    torch.manual_seed(5)
    write_checkpoint(tmp_path / "state.safetensors", {"random": random_state()})
    expected = torch.rand(4)
    torch.manual_seed(6)
    restore_random_state(read_checkpoint(tmp_path / "state.safetensors")["random"])
    assert torch.equal(torch.rand(4), expected)


def test_the_former_checkpoint_survives_a_full_disk(tmp_path):
    path = tmp_path / "state.safetensors"
    write_checkpoint(path, {"images": 1})
    with files_of_at_most(1_000), pytest.raises(OutputError, match=r"No space left.*is intact"):
        write_checkpoint(path, {"images": 2, "weights": torch.rand(10_000)})
    assert read_checkpoint(path)["images"] == 1
    assert os.listdir(tmp_path) == ["state.safetensors"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "state.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a complete checkpoint"):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    write_checkpoint(path, {"weights": torch.rand(1000)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is not a complete checkpoint"):
        read_checkpoint(path)
