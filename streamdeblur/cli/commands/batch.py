"""streamdeblur batch: many videos, on all cores, in shards, and again after whatever has interrupted it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdeblur.cli.batch_progress import BatchProgress
from streamdeblur.cli.clusters import OPTIONAL_VALUES, need_ray
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.outcomes import report_outcomes
from streamdeblur.cli.parameters import Json, Quiet, config_option
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.configs import VIDEO
from streamdeblur.cores import usable_cores
from streamdeblur.options import ArchiveOptions, unused_overwrite

if TYPE_CHECKING:
    from streamdeblur.archive.archive import ArchiveOutcome
    from streamdeblur.archive.pool import Pool
    from streamdeblur.archive.worker import Assignment

__all__ = ["OPTIONAL_VALUES", "command"]

logger = logging.getLogger(__name__)

CORES_OF_AN_ACTOR = 8
"""Cores that one engine has work for (`archive/workers.py`), where --cores says nothing else."""

Inputs = Annotated[
    list[str],
    typer.Argument(help="Video files, folders, patterns ('clips/**/*.mp4'), @FILE with one of them a line, or - for stdin."),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results, under the same names.")]
Config = Annotated[Path | None, config_option(VIDEO)]


@with_settings(ArchiveOptions, without=["report", "container"])
def command(inputs: Inputs, out: Out, config: Config = None, quiet: Quiet = False, json: Json = False, **settings: Any) -> None:
    """The same command goes on with what was interrupted, and does not do again what is complete. Long videos are cut into
    segments, which workers do at the same time.
    """
    with handle_errors(quiet=quiet, json=json):
        options = ArchiveOptions.load(config, **settings)
        for warning in unused_overwrite(options):
            logger.warning("%s.", warning)
        with goes_on_with_the_same_command(out):
            outcome = run_archive(inputs, out, options, quiet=quiet)
        report_archive(outcome, quiet=quiet, json=json)


def run_archive(inputs: list[str], out: Path, options: ArchiveOptions, *, quiet: bool) -> ArchiveOutcome:
    """Restore the faces of many videos, and show the progress."""
    from streamdeblur.archive.archive import restore_archive
    from streamdeblur.archive.inputs import find_inputs

    def open_pool(assignment: Assignment) -> Pool:
        return _pool(assignment, options)

    with BatchProgress(quiet=quiet) as progress:
        return restore_archive(find_inputs(inputs, out), out, options, open_pool, progress.plan)


def _pool(assignment: Assignment, options: ArchiveOptions) -> Pool:
    from streamdeblur.archive.pool import OwnProcess
    from streamdeblur.archive.processes import Processes
    from streamdeblur.archive.workers import default_workers

    most_memory = None if options.worker_memory is None else int(options.worker_memory * 1e9)
    if options.ray is not None:
        from streamdeblur.archive.ray_workers import RayWorkers

        need_ray()
        cores = options.restoration.cores or min(usable_cores(), CORES_OF_AN_ACTOR)
        limited = replace(assignment, options=assignment.options.changed(cores=cores))
        return RayWorkers(limited, options.ray, count=options.workers, cores=cores, most_memory=most_memory)
    count = options.workers or default_workers(options.restoration)
    if count == 1 and options.worker_memory is None:
        return OwnProcess(assignment)
    return Processes(assignment, count, most_memory)


def report_archive(outcome: ArchiveOutcome, *, quiet: bool, json: bool) -> None:
    """Print what became of each file.

    Raises:
        typer.Exit: A file failed; the exit code is 1.
    """
    if outcome.stopped:
        logger.error("Too many files have failed: %d were not begun or finished.", len(outcome.unfinished))
    elif outcome.unfinished and not quiet:
        logger.info("%d files are complete when other shards are.", len(outcome.unfinished))
    report_outcomes(
        outcome.files, ["frames", "fps", "faces", "restored"], quiet=quiet, json=json, unfinished=outcome.unfinished
    )  # fmt: skip
