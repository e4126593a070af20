"""Many files: which ones, where their results go, and what became of each."""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from streamdeblur.errors import InputError, OutputError, StreamDeblurError
from streamdeblur.files import fitting_name, is_same, make_folder, refuse_pipes

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".nut",
    ".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".mxf",
}  # fmt: skip
"""Suffixes of the videos that are taken from folders."""


@dataclass(frozen=True)
class Job:
    """One file to work on."""

    source: Path
    target: Path


Summary = TypeVar("Summary", covariant=True)
"""What the work on one file returns."""


@dataclass(frozen=True)
class Outcome(Generic[Summary]):
    """What became of one file."""

    job: Job
    status: Literal["done", "skipped", "failed"]
    summary: Summary | None = None
    """What the work returned; None where it was not done."""
    error: str = ""


def plan(
    inputs: Sequence[Path],
    folder: Path,
    suffixes: set[str],
    target_suffix: Callable[[str], str] | None = None,
    *,
    root: Path | None = None,
    leave_out: Callable[[str], object] | None = None,
) -> list[Job]:
    """List the files to work on and their targets, and make the output folder.

    Args:
        inputs: Files and folders; folders are searched with their subfolders, which are kept in the output folder.
        folder: Output folder; targets have the names of their sources.
        suffixes: Suffixes of the files that are taken from folders.
        target_suffix: Returns the suffix of the target for that of a source; by default they are the same. Where two files would
            get the same name, their own suffixes stay in their names: ``a.wmv.mp4`` and ``a.flv.mp4``.
        root: Folder above all inputs, from which on their own folders are kept, too; by default they are not.
        leave_out: Called with what is said of a file that has the target of one before it, or of a folder that cannot be read; by
            default the former is an error, and the latter is logged.

    Raises:
        InputError: There is nothing to work on.
        OutputError: Two inputs would have the same target, or the output folder is an input or cannot be made.
    """
    jobs = []
    for source in inputs:
        if os.path.isdir(source):
            if is_same(folder, source):
                raise OutputError(f"{folder} is the input folder itself. Name another folder for the results.")
            found = _found(source, suffixes, folder, leave_out or logger.warning)
            jobs += [Job(path, folder / _kept(path, source, root)) for path in found]
        else:
            jobs.append(Job(source, folder / _kept(source, source.parent, root)))
    if not jobs:
        raise InputError(f"No files to work on in {', '.join(map(str, inputs))}. Known kinds: {', '.join(sorted(suffixes))}.")
    jobs = _with_own_targets(jobs, leave_out)
    if target_suffix is not None:
        jobs = _with_own_targets(_renamed(jobs, target_suffix), leave_out)
    make_folder(folder)
    return jobs


def _found(folder: Path, suffixes: set[str], out: Path, leave_out: Callable[[str], object]) -> list[Path]:
    """The files with these suffixes in a folder and its subfolders.

    Results of an earlier run, where the output folder lies in this one, are not among them, however the two folders are spelled.
    """

    def unreadable(error: OSError) -> None:
        leave_out(f"The files of {error.filename} are left out: {error.strerror}.")

    paths = []
    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not is_same(Path(parent, name), out)]
        paths += [Path(parent, name) for name in names]
    return sorted(path for path in paths if path.suffix.lower() in suffixes and path.name[0] != "." and _may_be_file(path))


def _may_be_file(path: Path) -> bool:
    """Whether a path is that of a file; also if it may not be looked at, which its own error will say."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True
    except OSError:
        # a link to nothing, or to itself
        return False


def _kept(source: Path, folder: Path, root: Path | None) -> Path:
    """What is kept of the path of a source in an input folder."""
    return source.relative_to(folder) if root is None else Path(os.path.abspath(source)).relative_to(root)


def _with_own_targets(jobs: Sequence[Job], leave_out: Callable[[str], object] | None) -> list[Job]:
    """The jobs, each file once: it may be named, and lie in a folder that is. Others must not have the same target."""
    first: dict[Path, Job] = {}
    for job in jobs:
        other = first.setdefault(job.target, job)
        if os.path.abspath(other.source) == os.path.abspath(job.source):
            continue
        text = f"{other.source} and {job.source} would both be written to {job.target}. Rename one, or give a folder above both."
        if leave_out is None:
            raise OutputError(text)
        leave_out(text)
    return list(first.values())


def _renamed(jobs: Sequence[Job], target_suffix: Callable[[str], str]) -> list[Job]:
    """The jobs with other suffixes of their targets; what keeps its name comes before what gets another one."""
    suffixes = [target_suffix(job.target.suffix) for job in jobs]
    wanted = [_named(job.target, job.target.stem, suffix) for job, suffix in zip(jobs, suffixes, strict=True)]
    counts = Counter(wanted)
    renamed = []
    for job, suffix, target in zip(jobs, suffixes, wanted, strict=True):
        alone = counts[target] == 1 or target == job.target
        renamed.append(Job(job.source, target if alone else _named(job.target, job.target.name, suffix)))
    return renamed


def _named(target: Path, stem: str, suffix: str) -> Path:
    return target.with_name(fitting_name(stem, suffix))


def run(jobs: Sequence[Job], work: Callable[[Job], Summary], *, resume: bool) -> Iterator[Outcome[Summary]]:
    """Do `work` on each job; one that fails does not stop the others. With `resume`, jobs whose target exists are skipped."""
    for job in jobs:
        yield outcome(job, work, resume=resume)


def outcome(job: Job, work: Callable[[Job], Summary], *, resume: bool) -> Outcome[Summary]:
    """Do `work` on a job, and return what became of it, whatever goes wrong."""
    try:
        if resume and job.target.exists():
            return Outcome(job, "skipped")
        refuse_pipes(job.source)
        make_folder(job.target.parent)
        return Outcome(job, "done", work(job))
    except StreamDeblurError as error:
        return Outcome(job, "failed", error=str(error))
    # A file for which a decoder, a network or an encoder raises what nobody foresaw must not cost the others.
    except Exception as error:
        logger.debug("Working on %s", job.source, exc_info=True)
        return Outcome(job, "failed", error=f"{job.source} failed with an unexpected {type(error).__name__}: {error}")
