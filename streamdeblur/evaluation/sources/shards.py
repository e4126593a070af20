"""Data sets that ``streamdeblur dataset`` wrote."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from streamdeblur.errors import InputError
from streamdeblur.evaluation.sources.dataset import DataSet, EvaluationClip, EvaluationFace, EvaluationStill, make_data_set
from streamdeblur.evaluation.sources.files import safe_name, unique_names
from streamdeblur.evaluation.sources.identity_pairs import identity_pairs
from streamdeblur.training.datasets.pictures import PICTURES
from streamdeblur.training.datasets.random_access import Clips, Stills, open_clips, open_stills
from streamdeblur.training.datasets.shards import find_shards, read_samples, shards_in


def has_shards(path: Path) -> bool:
    """Return whether this is a shard, a folder of shards, or a folder of such folders."""
    if path.is_file():
        return path.suffix == ".tar"
    return any(shards_in(folder) for folder in (path, *(inner for inner in path.iterdir() if inner.is_dir())))


def open_shards(path: Path) -> DataSet:
    """Open stills or clips: a shard, a folder of shards, or a data set with one split.

    Raises:
        InputError: They cannot be read, hold something else or nothing, or there are several splits.
    """
    first = next((sample for shard in find_shards(path) for sample in read_samples(shard)), None)
    held = set(first.files) if first else set()
    if "mp4" in held:
        clips = clips_of(open_clips(path))
        return make_data_set(path, "clips", {}, clips=clips, comparisons=identity_pairs(clips))
    if held & {suffix[1:] for suffix in PICTURES}:
        return make_data_set(path, "stills", {}, stills=_stills_of(open_stills(path)))
    raise InputError(f"The shards of {path} hold {', '.join(sorted(held)) or 'nothing'}. An evaluation needs stills or clips.")


def clips_of(store: Clips) -> list[EvaluationClip]:
    """Return the clips of shards, with the detector's boxes and five landmarks."""
    groups = [_source(record, key) for record, key in zip(store.records, store.keys, strict=True)]
    begins = [(record.get("source_frames") or [0])[0] for record in store.records]
    names = unique_names(f"{group}/{begin:06d}" for group, begin in zip(groups, begins, strict=True))
    people = [_person(record) for record in store.records]
    return [
        EvaluationClip(name, partial(store.__getitem__, number), person, group)
        for number, (name, person, group) in enumerate(zip(names, people, groups, strict=True))
    ]


def _stills_of(store: Stills) -> list[EvaluationStill]:
    names = unique_names(_source(record, key) for record, key in zip(store.records, store.keys, strict=True))
    people = [_person(record) for record in store.records]
    return [
        EvaluationStill(name, partial(_face, store, number), person)
        for number, (name, person) in enumerate(zip(names, people, strict=True))
    ]


def _face(store: Stills, number: int) -> EvaluationFace:
    return EvaluationFace(np.array(store[number]))


def _source(record: dict[str, Any], key: str) -> str:
    """The file that a sample is from, without suffix; its key if that is unknown."""
    return safe_name(str(PurePosixPath(record.get("source") or key).with_suffix("")))


def _person(record: dict[str, Any]) -> str:
    """The person; '' if unknown (each file was then taken as a person of its own)."""
    return "" if record.get("identity_from") == "file" else str(record.get("identity") or "")
