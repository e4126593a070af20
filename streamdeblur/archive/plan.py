"""The plan of a batch: its files, each with its tasks, in the manifest."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamdeblur.archive.manifest import MANIFEST, Header, Manifest, Record
from streamdeblur.archive.shards import Shard
from streamdeblur.archive.tasks import Task, identity, version
from streamdeblur.archive.worker import network_checksum, remove_segments, segment_path
from streamdeblur.jobs import batch
from streamdeblur.jobs.video import cuts_of
from streamdeblur.options import VideoOptions
from streamdeblur.speeds import chosen_network
from streamdeblur.video.cuts import Cuts
from streamdeblur.weights import AUTO

logger = logging.getLogger(__name__)

SCANNED_AT_ONCE = 4
"""Files that are read at the same time to find where they can be cut."""


@dataclass(frozen=True)
class File:
    """A video of a batch, and its tasks."""

    job: batch.Job
    output: str
    """Below the output folder."""
    tasks: tuple[Task, ...]
    """One for a video in one piece; otherwise its segments, and their joining."""

    @property
    def last(self) -> Task:
        """The task that completes it."""
        return self.tasks[-1]

    def is_complete(self, out: Path) -> bool:
        """Return whether its output is there, and no other file in its place."""
        found = identity(out / self.output)
        return found is not None and found != self.last.replaces

    def done(self, task: Task, manifest: Manifest) -> bool:
        """Return whether the result of a task is there."""
        segment = task.segment
        is_there = segment is not None and segment_path(manifest.folder, self.output, segment.number).exists()
        return is_there or self.is_complete(manifest.out)


def header_of(options: VideoOptions, folder: Path) -> tuple[Header, VideoOptions]:
    """Return what holds for a batch, and its settings with the network that ``auto`` stands for.

    It is chosen once: other machines might choose another one.

    Raises:
        NetworkError, DetectorError: There is no such network or detector.
        OutputError: The manifest that is there cannot be read.
    """
    path = chosen_network(options.restoration, real_time=False)
    if str(options.restoration.network) == AUTO:
        options = options.changed(network=Path(_former_network(folder) or path.stem))
        path = chosen_network(options.restoration, real_time=False)
    return Header(_settings(options), network_checksum(path)), options


def _former_network(folder: Path) -> str | None:
    """The network of the manifest that is there."""
    with suppress(OSError, ValueError, KeyError, TypeError), (folder / MANIFEST).open() as file:
        return str(json.loads(file.readline())["settings"]["network"])
    return None


def _settings(options: VideoOptions) -> dict[str, Any]:
    """The settings by their flat names, but for those that no output depends on."""
    values = options.model_dump(
        mode="json", exclude={"overwrite": True, "allow_network": True, "restoration": {"cores", "device"}}
    )
    parts = [values.pop(name) for name in options.parts()]
    return {name: value for part in (*parts, values) for name, value in part.items()}


def plan_files(jobs: Sequence[batch.Job], manifest: Manifest, options: VideoOptions, shard: Shard | None) -> list[File]:
    """Return the files of a batch with their tasks; those that are not in the manifest yet are planned, and written there.

    A source that has changed since it was planned, and is not complete, is planned anew.

    Args:
        jobs: The videos.
        manifest: The manifest of the batch.
        options: Settings.
        shard: The part of the batch that this process works on.

    Raises:
        OutputError: The manifest cannot be written.
    """
    known = {file.output: file for file in _known(jobs, manifest)}
    new = [job for job in jobs if output_of(job, manifest) not in known]
    if new or shard is None or not manifest.path.exists():
        place = max((record.task.place for record in manifest.records.values()), default=-1) + 1
        with ThreadPoolExecutor(SCANNED_AT_ONCE) as pool:
            for job, cuts in zip(new, pool.map(lambda job: cuts_of(job.source, options), new), strict=True):
                file = _planned(job, output_of(job, manifest), cuts, place, manifest)
                place += len(file.tasks)
                known[file.output] = file
        tasks = [task for file in known.values() for task in file.tasks if task.name not in manifest.records]
        manifest.plan([Record(task) for task in tasks])
    return [known[output_of(job, manifest)] for job in jobs]


def output_of(job: batch.Job, manifest: Manifest) -> str:
    """Return the output of a job, below the output folder."""
    return job.target.relative_to(manifest.out).as_posix()


def _known(jobs: Sequence[batch.Job], manifest: Manifest) -> Iterator[File]:
    """The files that are in the manifest, as they were planned."""
    tasks: dict[str, list[Task]] = {}
    for record in manifest.records.values():
        if record.state != "dropped":
            tasks.setdefault(record.task.output, []).append(record.task)
    for job in jobs:
        output = output_of(job, manifest)
        planned = sorted(tasks.get(output, ()), key=lambda task: task.place)
        if not planned:
            continue
        file = File(job, output, tuple(planned))
        of_source = file.last.file == os.path.abspath(job.source), file.last.source == version(job.source)
        if (all(of_source) and _is_whole(planned)) or (file.is_complete(manifest.out) and any(of_source)):
            yield file
            continue
        logger.info("%s is not what it was when it was planned: what was done of it is done anew.", job.source)
        remove_segments(manifest.folder, output)
        for task in planned:
            del manifest.records[task.name]


def _is_whole(tasks: Sequence[Task]) -> bool:
    """Whether these are all tasks of a file, in order: lines may have been lost."""
    *parts, last = tasks
    numbers = [task.segment.number if task.segment else None for task in parts]
    same = len({(task.file, task.source) for task in tasks}) == 1
    return same and last.kind == ("join" if parts else "video") and numbers == list(range(last.segments))


def _planned(job: batch.Job, output: str, cuts: Cuts, place: int, manifest: Manifest) -> File:
    """A file with the tasks that it is cut into."""
    whole = Task(
        output,
        "video",
        os.path.abspath(job.source),
        output,
        place,
        version(job.source),
        identity(job.target),
        frames=cuts.frames,
        reason=cuts.reason,
    )
    if not cuts.segments:
        return File(job, output, (whole,))
    parts = [
        replace(whole, name=f"{output}#{s.number + 1}", kind="segment", place=place + s.number, frames=s.frames, segment=s)
        for s in cuts.segments
    ]
    count = len(parts)
    join = replace(whole, name=f"{output}#join", kind="join", place=place + count, frames=None, segments=count)
    return File(job, output, (*parts, join))


def in_one_piece(file: File, reason: str) -> File:
    """Return a file whose segments do not make a whole, with the task that needs none."""
    task = replace(file.last, name=file.output, kind="video", segments=0, frames=None, reason=reason)
    return File(file.job, file.output, (task,))
