"""streamdeblur blur: pairs of blurry and sharp frames from sharp video."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.cli.clusters import OPTIONAL_VALUES, RayAddress, processes_of
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.outcomes import report_outcomes
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.errors import OptionError
from streamdeblur.jobs import batch
from streamdeblur.training.blur.options import BlurOptions
from streamdeblur.worker_processes import open_pool

if TYPE_CHECKING:
    from streamdeblur.training.blur.video import BlurSummary

__all__ = ["OPTIONAL_VALUES", "command"]

Input = Annotated[Path, typer.Argument(help="A video file, or a folder of them.")]
Output = Annotated[
    Path,
    typer.Argument(
        help="A folder for PNG pairs (one folder per video of a folder); or a video file, "
        "beside which its sharp counterpart is written."
    ),
]


@with_settings(BlurOptions)
def command(
    source: Input, out: Output, ray: RayAddress = None, quiet: Quiet = False, json: Json = False, **settings: object
) -> None:
    with handle_errors(quiet=quiet, json=json):
        options = BlurOptions.validated(settings)
        video = out.suffix.lower() in batch.VIDEO_SUFFIXES
        if ray is not None and not source.is_dir():
            raise OptionError("--ray shares out the videos of a folder, and this is one video. Leave --ray out.")
        if not source.is_dir():
            _one(source, out, options, video=video, quiet=quiet, json=json)
        elif not video:
            _many(source, out, options, ray, quiet=quiet, json=json)
        else:
            raise OptionError(f"{source} is a folder: its videos become folders of pairs. Name a folder instead of {out.name}.")


def _one(source: Path, out: Path, options: BlurOptions, *, video: bool, quiet: bool, json: bool) -> None:
    summary = _blur(source, out, options, video=video, quiet=quiet)
    if json:
        print_json(asdict(summary))
    elif not quiet:
        averages = ""
        if options.scheme.kind == "vla":
            rules = ", ".join(f"{count} {rule}" for rule, count in sorted(summary.stopped_by.items()))
            averages = f"; {summary.mean_length:g} frames per average (stopped by: {rules})"
        typer.echo(f"{summary.output}: {summary.pairs} pairs of {summary.frames} frames in {summary.seconds:.1f} s{averages}")


def _many(folder: Path, out: Path, options: BlurOptions, ray: str | None, *, quiet: bool, json: bool) -> None:
    jobs = [batch.Job(job.source, job.target.with_suffix("")) for job in batch.plan([folder], out, batch.VIDEO_SUFFIXES)]
    _check_targets(jobs)

    def work(job: batch.Job) -> BlurSummary:
        return _blur(job.source, job.target, options, video=False, quiet=quiet)

    with processes_of(ray) as cores:
        outcomes = list(batch.run(jobs, work, resume=False)) if cores is None else _together(jobs, options, cores, quiet=quiet)
    report_outcomes(outcomes, ["frames", "pairs", "mean_length"], quiet=quiet, json=json)


def _together(
    jobs: Sequence[batch.Job], options: BlurOptions, processes: int, *, quiet: bool
) -> list[batch.Outcome[BlurSummary]]:
    """Blur several videos at the same time."""
    with (
        open_pool(min(processes, len(jobs))) as pool,
        ProgressLine("videos", quiet=quiet) as line,
    ):
        calls = [pool.submit(batch.outcome, job, partial(_blur_quietly, options), resume=False) for job in jobs]
        for done, _ in enumerate(as_completed(calls), 1):
            line.show(done, len(jobs), "videos")
        return [call.result() for call in calls]


def _blur_quietly(options: BlurOptions, job: batch.Job) -> BlurSummary:
    return _blur(job.source, job.target, options, video=False, quiet=True)


def _check_targets(jobs: Sequence[batch.Job]) -> None:
    """Refuse files that differ only in their suffix: their pairs would have one folder."""
    sources: dict[Path, Path] = {}
    for job in jobs:
        if job.target in sources:
            raise OptionError(f"{sources[job.target]} and {job.source} would both become {job.target}. Rename one.")
        sources[job.target] = job.source


def _blur(source: Path, out: Path, options: BlurOptions, *, video: bool, quiet: bool) -> BlurSummary:
    from streamdeblur.training.blur.video import blur_video

    with ProgressLine(source.name, quiet=quiet) as line:
        return blur_video(source, out, options, video=video, on_progress=lambda frames, total: line.show(frames, total, "frames"))
