"""Work in parts over several processes; each part is kept on disk when it is done, so that a kill loses the current ones only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2

from streamdeblur.training.datasets.shards import Sample, TarFile, json_bytes
from streamdeblur.worker_processes import open_pool

FORMAT = 1
"""Of the parts: those that an older version began are not gone on with."""


@dataclass(frozen=True)
class PartTask:
    """Work whose result is one part."""

    part: str
    """Name of the part: a hash of all that its content depends on."""
    title: str
    """Name for messages."""
    work: Callable[[], Iterable[Sample]]
    """Makes the samples; picklable."""
    failed: Callable[[str], Iterable[Sample]]
    """Makes the samples that state why it could not be done, if its process dies."""


def part_name(files: Sequence[Path], root: Path, settings: object) -> str:
    """Name what is made of files by a hash of the settings and of the files' names, sizes and times."""
    stats = [(file.relative_to(root).as_posix(), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json_bytes({"format": FORMAT, "files": stats, "settings": settings})).hexdigest()[:32]


def part_path(folder: Path, task: PartTask) -> Path:
    return folder / f"{task.part}.tar"


def make_parts(tasks: Sequence[PartTask], folder: Path, workers: int) -> Iterator[PartTask]:
    """Do the tasks whose part is not in `folder` yet.

    Args:
        tasks: The tasks, in the order in which they begin.
        folder: Folder of the parts.
        workers: Processes; 1 works in this one.

    Yields:
        Each task when its part is there, those already there first.

    Raises:
        OutputError: The folder cannot be written.
    """
    for partial in folder.glob(".*.partial-*"):
        partial.unlink(missing_ok=True)
    yield from (task for task in tasks if part_path(folder, task).exists())
    left = [task for task in tasks if not part_path(folder, task).exists()]
    if workers <= 1 or len(left) <= 1:
        for task in left:
            _do_alone(task, folder)
            yield task
        return
    while left:
        for task in _done_or_failed(tuple(left), folder, workers):
            left.remove(task)
            yield task


def _done_or_failed(tasks: Sequence[PartTask], folder: Path, workers: int) -> Iterator[PartTask]:
    """Do tasks until one crashes its process, which has failed then, and yield those whose part is there."""
    left = list(tasks)
    try:
        for task in _do_together(tasks, folder, min(workers, len(tasks))):
            left.remove(task)
            yield task
    except BrokenProcessPool:
        # others may have been done that nobody was told of
        done = [task for task in left if part_path(folder, task).exists()]
        yield from done
        # tasks begin in order: the one that crashed its process is among the first that are not done
        for task in [task for task in left if task not in done][:workers]:
            try:
                yield from _do_together([task], folder, 1)
            except BrokenProcessPool:
                _write(task.failed("the process that read it died"), part_path(folder, task))
                yield task


def _do_together(tasks: Sequence[PartTask], folder: Path, workers: int) -> Iterator[PartTask]:
    pool = open_pool(workers)
    try:
        waiting = {pool.submit(_do, task, folder): task for task in tasks}
        for future in as_completed(waiting):
            future.result()
            yield waiting[future]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _do_alone(task: PartTask, folder: Path) -> None:
    threads = cv2.getNumThreads()
    try:
        _do(task, folder)
    finally:
        cv2.setNumThreads(threads)


def _do(task: PartTask, folder: Path) -> None:
    # one thread: optical flow depends on the number of threads, and the other cores are used by other tasks
    cv2.setNumThreads(1)
    _write(task.work(), part_path(folder, task))


def _write(samples: Iterable[Sample], target: Path) -> None:
    with TarFile(target) as tar:
        for sample in samples:
            tar.write(sample)
