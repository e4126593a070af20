"""Splits: who is trained on and who is held out; each person is in one split."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from streamdeblur.training.datasets.shards import shards_in

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


def split_of(name: str, held_out: float) -> Split:
    """Return the split of a person: `test` for a fraction `held_out` of all names, by a hash, so that it never changes."""
    place = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]) / 2**64
    return "test" if place < held_out else "train"


def split_folders(clips: Path) -> dict[Split, Path]:
    """Return the splits of a data set and their folders; one that has no splits, or is one of them, is its own.

    Raises:
        InputError: There are no clips.
    """
    found: dict[Split, Path] = {split: clips / split for split in SPLITS if shards_in(clips / split)}
    if not found:
        found["test" if clips.name == "test" else "train"] = clips
    return found
