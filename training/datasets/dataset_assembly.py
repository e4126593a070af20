"""Assembling a data set from its parts: duplicates dropped, people split, shards written."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from streamdeblur.errors import InputError, OutputError
from streamdeblur.files import REPLACING, make_folder
from streamdeblur.folder_lock import folder_held
from streamdeblur.partial_file import write_file
from streamdeblur.training.datasets.duplicates import DuplicateFinder
from streamdeblur.training.datasets.part_tasks import PartTask, make_parts, part_path
from streamdeblur.training.datasets.pixel_cache import FOLDER as DECODED
from streamdeblur.training.datasets.shards import (
    PARTS,
    SHARD_BYTES,
    SUMMARY,
    Sample,
    json_bytes,
    read_sample,
    read_samples,
    write_shards,
)
from streamdeblur.training.datasets.source_files import SOURCES, SourceFile
from streamdeblur.training.datasets.splits import SPLITS, Split

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AssemblyStep:
    """Progress of a data set."""

    done: int
    total: int
    title: str
    """What was finished last."""


class BuildArguments(TypedDict, total=False):
    """How `make_data_set`, and all functions that call it, do their work."""

    workers: int
    """Processes; 1, the default, works in this one."""
    shard_bytes: int
    """A shard is closed when its samples hold this much."""
    overwrite: bool
    """Replace a data set that was made of other files or settings."""
    on_progress: Callable[[AssemblyStep], object] | None
    """Called after each part."""


def make_data_set(
    out: Path,
    kind: str,
    tasks: Sequence[PartTask],
    *,
    split: Callable[[SourceFile], Split],
    settings: Mapping[str, Any],
    shard_bytes: int = SHARD_BYTES,
    workers: int = 1,
    overwrite: bool = False,
    on_progress: Callable[[AssemblyStep], object] | None = None,
) -> dict[str, Any]:
    """Do the tasks and write their samples to shards in ``out/train`` and ``out/test``.

    What was interrupted continues where it stopped; what is complete is not made again. Where another process makes the same data
    set, this one waits for it.

    Args:
        out: Folder of the data set.
        kind: Name of its samples: clips, stills or pairs.
        tasks: Each makes one part.
        split: The side of the samples of a source file.
        settings: All that the data set depends on besides the tasks, for JSON.
        shard_bytes, workers, overwrite, on_progress: See `BuildArguments`.

    Returns:
        The summary, which is also in `SUMMARY`.

    Raises:
        InputError: Nothing is left to write.
        OutputError: `out` holds something else, or cannot be written.
    """
    made_from = {"parts": [task.part for task in tasks], "settings": settings, "shard_bytes": shard_bytes}
    digest = hashlib.sha256(json_bytes(made_from)).hexdigest()
    with folder_held(out, lambda: logger.info("Another process makes %s; waiting for it.", out)):
        finished = _begin(out, digest, overwrite=overwrite)
        if finished is not None:
            return finished
        for done, task in enumerate(make_parts(tasks, out / PARTS, workers), 1):
            if on_progress is not None:
                on_progress(AssemblyStep(done, len(tasks), task.title))
        plan = plan_splits([part_path(out / PARTS, task) for task in tasks], split)
        if not any(plan.splits.values()):
            _give_up(out)
            raise InputError(f"Nothing to keep: {explain(plan.sources)}")
        _clear(out)
        shards = {side: len(write_shards(out / side, kind, _samples_of(plan, side), shard_bytes)) for side in SPLITS}
        summary = {"kind": kind, "made_from": digest, "shards": shards, **plan.record()}
        write_file(out / SUMMARY, json_bytes(summary))
        shutil.rmtree(out / PARTS)
        return summary


@dataclass
class Plan:
    """Which samples go to which split."""

    splits: dict[Path, dict[str, Split]] = field(default_factory=dict)
    """Split by part and key of the sample; samples that are not here are left out."""
    sources: list[SourceFile] = field(default_factory=list)

    def count(self, side: Split) -> int:
        """Count the samples of one side."""
        return sum(chosen == side for kept in self.splits.values() for chosen in kept.values())

    def record(self) -> dict[str, Any]:
        """Return what is kept of each side, and what became of the sources, for JSON."""
        sources = [{k: v for k, v in vars(s).items() if k != "items"} | {"kept": len(s.items)} for s in self.sources]
        return {"kept": {side: self.count(side) for side in SPLITS}, "sources": sources}


def plan_splits(parts: Iterable[Path], split: Callable[[SourceFile], Split]) -> Plan:
    """Read what the parts hold, in their order; of duplicates the first is kept."""
    plan = Plan()
    files: dict[str, str] = {}
    duplicates = DuplicateFinder()
    for part in parts:
        kept = plan.splits.setdefault(part, {})
        for source in (SourceFile(**listed) for listed in read_sample(part, SOURCES).record["sources"]):
            plan.sources.append(source)
            if not source.problem and files.setdefault(source.sha256, source.file) != source.file:
                source.problem = f"the same file as {files[source.sha256]}"
            items, source.items = source.items if not source.problem else [], []
            for item in items:
                hashes, loose = ([int(value, 16) for value in item.get(name, ())] for name in ("hashes", "loose_hashes"))
                if hashes and duplicates.add(item["key"], hashes, loose) is not None:
                    source.drop("duplicates")
                else:
                    source.items.append(item)
                    kept[item["key"]] = split(source)
    return plan


def _samples_of(plan: Plan, side: Split) -> Iterator[Sample]:
    """Read the samples of one side, in the order of the parts."""
    for part, kept in plan.splits.items():
        if side in kept.values():
            yield from (sample for sample in read_samples(part) if kept.get(sample.key) == side)


def _begin(out: Path, digest: str, *, overwrite: bool) -> dict[str, Any] | None:
    """Prepare the folder of a data set; return its summary where it is complete already."""
    finished = read_summary(out)
    if finished is not None:
        if finished.get("made_from") == digest and not overwrite:
            shutil.rmtree(out / PARTS, ignore_errors=True)
            return finished
        if not overwrite:
            raise OutputError(f"{out} holds a data set of other files or settings. {REPLACING}, or name another folder.")
        _clear(out)
    elif out.is_dir() and not (out / PARTS).is_dir() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty. Name another folder.")
    make_folder(out / PARTS)
    return None


def read_summary(out: Path) -> dict[str, Any] | None:
    """Return the summary of a finished data set; None where there is none."""
    try:
        summary = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return summary if isinstance(summary, dict) else None


def _clear(out: Path) -> None:
    """Remove the shards of a data set, its summary first."""
    (out / SUMMARY).unlink(missing_ok=True)
    for split in SPLITS:
        for shard in (out / split).glob("*.tar"):
            shard.unlink()
        shutil.rmtree(out / split / DECODED, ignore_errors=True)


def _give_up(out: Path) -> None:
    """Remove what was begun; a link stays, and so does the folder that it leads to."""
    shutil.rmtree(out / PARTS, ignore_errors=True)
    if not out.is_symlink() and not any(out.iterdir()):
        out.rmdir()


def explain(sources: Sequence[SourceFile]) -> str:
    """Explain which sources were not used and why."""
    words = []
    unusable = [source for source in sources if source.problem]
    if unusable:
        words.append(f"{len(unusable)} of {len(sources)} files could not be used ({unusable[0].problem.rstrip('.')})")
    empty = sum(not (source.problem or source.items or source.dropped) for source in sources)
    if empty:
        words.append(f"no face was found in {empty} of {len(sources)} files")
    dropped = Counter[str]()
    for source in sources:
        dropped.update(source.dropped)
    return "; ".join([*words, *(f"{reason}: {count}" for reason, count in dropped.most_common())]) + "."
