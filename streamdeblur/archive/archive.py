"""restore_archive: many videos, from their plan to their outputs, on any pool of workers."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from streamdeblur.archive.inputs import jobs_of
from streamdeblur.archive.manifest import FOLDER, Manifest, locked, planning
from streamdeblur.archive.plan import File, header_of, plan_files
from streamdeblur.archive.pool import Pool
from streamdeblur.archive.run import BatchRun, Display, Limits, unfinished
from streamdeblur.archive.shards import Shard
from streamdeblur.archive.tasks import Task
from streamdeblur.archive.watch import Watch
from streamdeblur.archive.worker import Assignment, remove_segments
from streamdeblur.files import make_folder
from streamdeblur.jobs import batch
from streamdeblur.jobs.batch import Outcome
from streamdeblur.jobs.video import VideoSummary
from streamdeblur.options import ArchiveOptions, VideoOptions

logger = logging.getLogger(__name__)


@dataclass
class ArchiveOutcome:
    """What became of a batch."""

    files: list[Outcome[VideoSummary]] = field(default_factory=list)
    """Files that are done, were complete before, or failed."""
    unfinished: list[Path] = field(default_factory=list)
    """Sources of which other shards have a part to do, or that were not begun because too many had failed."""
    stopped: bool = False
    """Whether too many files had failed."""


def restore_archive(
    inputs: Sequence[Path],
    out: Path,
    options: ArchiveOptions,
    open_pool: Callable[[Assignment], Pool],
    display: Callable[[Sequence[File], Sequence[Task]], Display],
    folder: Path | None = None,
) -> ArchiveOutcome:
    """Restore the faces of many videos; what an earlier run with the same output folder has completed is not done again.

    Args:
        inputs: Files and folders.
        out: The output folder.
        options: Settings.
        open_pool: Opens the workers, with what they are told.
        display: Returns what shows the progress, for all files and the tasks that are left; called again where files arrive.
        folder: The plan folder; by default the one that all batches with this output folder share.

    Returns:
        What became of each file.

    Raises:
        InputError: There is nothing to work on.
        OutputError: The output folder cannot be used, or another batch uses it.
        NetworkError, EngineError: There is no such network, or no worker can run it.
    """
    shard = None if options.shard is None else Shard(*options.shard)
    folder = Path(os.path.abspath(folder or out / FOLDER))
    watch = _watch(inputs, out, options) if options.watch else None
    if watch is None:
        jobs = jobs_of(inputs, out, keep_tree=options.keep_tree)
    else:
        make_folder(out)
        jobs = watch.new()
    with ExitStack() as opened:
        opened.enter_context(locked(folder, shard))
        with planning(folder):
            header, work = header_of(options.work(), folder)
            manifest = Manifest(out, folder, header, shard)
            files = plan_files(jobs, manifest, work, shard)
        opened.callback(manifest.close)
        planned = _PlannedFiles(manifest, work, shard, options, display)
        outcome, undone = planned.outcome, planned.undone(files)
        _tell(undone)
        if undone or watch is not None:
            run = BatchRun(
                undone,
                manifest,
                _opened(opened, open_pool, Assignment(Path(os.path.abspath(out)), folder, work, header.network, shard)),
                planned.shown(files, undone),
                overwrite=options.overwrite,
                limits=Limits(options.attempts, options.max_failures),
                shard=shard,
            )
            run.run(lambda: None if watch is None else planned.arrived(watch, run))
            outcome.files += run.outcomes
            outcome.unfinished = [file.job.source for file in unfinished(run.files, run.outcomes) if not file.is_complete(out)]
            outcome.stopped = run.stopped
    return outcome


@dataclass(frozen=True)
class _PlannedFiles:
    """The plan of a batch that goes on, to which files are added as they arrive."""

    manifest: Manifest
    work: VideoOptions
    shard: Shard | None
    options: ArchiveOptions
    display: Callable[[Sequence[File], Sequence[Task]], Display]
    outcome: ArchiveOutcome = field(default_factory=ArchiveOutcome)

    def undone(self, files: Sequence[File]) -> list[File]:
        """Return those of the files that are to be restored; the others are in the outcome from now on."""
        return [file for file in files if not _is_skipped(file, self.manifest, self.options, self.outcome)]

    def shown(self, files: Sequence[File], undone: Sequence[File]) -> Display:
        """Return what shows the progress of files, of which some are undone."""
        return self.display(files, _left(undone, self.manifest, self.shard))

    def arrived(self, watch: Watch, run: BatchRun) -> list[File] | None:
        """Plan the files that have arrived, and return those that are to be restored; None where no more will come."""
        jobs = [job for job in watch.new() if not _is_at(job, run, watch)]
        if not jobs:
            return None if watch.is_over else []
        with planning(self.manifest.folder):
            files = plan_files(jobs, self.manifest, self.work, self.shard)
        undone = self.undone(files)
        self.shown(files, undone)
        return undone


def _watch(inputs: Sequence[Path], out: Path, options: ArchiveOptions) -> Watch:
    return Watch(inputs, out, keep_tree=options.keep_tree, settle=options.settle, idle=options.idle)


def _is_at(job: batch.Job, run: BatchRun, watch: Watch) -> bool:
    """Whether a file that has changed is still being restored as it was, or is complete: then it stays so."""
    if run.is_at(job):
        watch.later(job)
        return True
    if is_complete := any(outcome.job.target == job.target and outcome.status == "done" for outcome in run.outcomes):
        logger.info("%s has changed since it was restored, and is not restored again.", job.source)
    return is_complete


def _opened(opened: ExitStack, open_pool: Callable[[Assignment], Pool], assignment: Assignment) -> Pool:
    pool = open_pool(assignment)

    def close(kind: type[BaseException] | None, *_: object) -> None:
        pool.close(wait=kind is None)

    opened.push(close)
    return pool


def _is_skipped(file: File, manifest: Manifest, options: ArchiveOptions, outcome: ArchiveOutcome) -> bool:
    """Whether a file is complete, or its output is another one that is to be kept."""
    complete = file.is_complete(manifest.out)
    if complete:
        # a kill may have left them
        remove_segments(manifest.folder, file.output)
    if complete or (options.resume and file.job.target.exists()):
        outcome.files.append(Outcome(file.job, "skipped"))
        return True
    return False


def _left(files: Sequence[File], manifest: Manifest, shard: Shard | None) -> list[Task]:
    """The tasks of files that are not done, as far as they are those of this shard."""
    undone = [task for file in files for task in file.tasks if not file.done(task, manifest)]
    return [task for task in undone if shard is None or shard.has(task.place)]


def _tell(files: Sequence[File]) -> None:
    for file in files:
        source, target = file.job.source, file.job.target
        # a source that is missing fails, and is written as nothing
        if target.suffix != source.suffix and source.exists():
            kind = f"{source.suffix} files" if source.suffix else "files without a suffix"
            logger.info("%s is written as %s: %s cannot be written.", source, target.name, kind)
        if file.last.kind == "video" and file.last.reason:
            logger.info("%s is restored in one piece: %s.", file.job.source, file.last.reason)


def own_folder(inputs: Sequence[Path], out: Path) -> Path:
    """Return a plan folder for these inputs alone, so that several processes may each have some of the same output folder."""
    named = "\n".join(os.path.abspath(path) for path in inputs)
    return out / FOLDER / f"video-{hashlib.sha256(os.fsencode(named)).hexdigest()[:16]}"


def forget(folder: Path) -> None:
    """Remove a plan folder, and the folder around it where that is empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
