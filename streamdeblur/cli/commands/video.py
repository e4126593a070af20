"""streamdeblur video: one file, or many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdeblur.cli.report import ProgressLine, exits, print_json, tell
from streamdeblur.cli.settings import STREAM, accepts
from streamdeblur.errors import OptionError
from streamdeblur.jobs import batch
from streamdeblur.options import VideoBatchOptions

if TYPE_CHECKING:
    from streamdeblur.jobs.video import Summary

Paths = Annotated[list[str], typer.Argument(help="INPUT OUTPUT; or with --out any number of video files and folders.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results of several inputs, under the same names.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file with settings, or a shipped one: archive, preview. VideoBatchOptions here win."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and warnings.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


@accepts(
    *STREAM, "codec", "quality", "preset", "start", "duration", "side_by_side", "overwrite", "resume", "allow_network",
    model=VideoBatchOptions,
)  # fmt: skip
def command(
    paths: Paths, out: Out = None, config: Config = None, quiet: Quiet = False, json: Json = False, **settings: Any
) -> None:
    with exits(quiet=quiet, json=json):
        options = VideoBatchOptions.load(config, **settings)
        if out is None:
            if len(paths) != 2:
                raise OptionError("Give an input and an output, or several inputs and --out DIR.")
            _one(paths[0], Path(paths[1]), options, quiet=quiet, json=json)
        else:
            _many([Path(path) for path in paths], out, options, quiet=quiet, json=json)


def _one(source: str, target: Path, options: VideoBatchOptions, *, quiet: bool, json: bool) -> None:
    from streamdeblur.jobs.video import deblur_video

    if options.resume and target.exists():
        tell(f"{target} is complete already: skipped.", quiet=quiet)
        if json:
            print_json({"input": source, "output": str(target), "status": "skipped"})
        return
    with ProgressLine(Path(source).name, quiet=quiet) as progress:
        summary = deblur_video(source, target, options, on_progress=progress)
    _print_summary(summary, quiet=quiet or json)
    if json:
        print_json(summary.as_dict())


def _print_summary(summary: Summary, *, quiet: bool) -> None:
    for warning in summary.warnings:
        tell(f"Warning: {Path(summary.input).name}: {warning}")
    if not quiet:
        typer.echo(
            f"{summary.output}: {summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} fps); "
            f"{summary.faces} faces, {summary.restored} restored, {summary.skipped_sharp} sharp already; "
            f"{summary.engine}, {summary.detector}"
        )


def _many(inputs: list[Path], folder: Path, options: VideoBatchOptions, *, quiet: bool, json: bool) -> None:
    from streamdeblur.deblurrer import FaceDeblurrer
    from streamdeblur.jobs.video import deblur_video

    jobs = batch.plan(inputs, folder, batch.VIDEO_SUFFIXES)
    with FaceDeblurrer(options.restoration, throughput=True) as deblurrer:

        def work(job: batch.Job) -> Summary:
            with ProgressLine(job.source.name, quiet=quiet) as progress:
                summary = deblur_video(job.source, job.target, options, on_progress=progress, deblurrer=deblurrer)
            _print_summary(summary, quiet=True)
            return summary

        outcomes = list(batch.run(jobs, work, resume=options.resume))
    report_outcomes(outcomes, ("frames", "fps", "faces", "restored"), quiet=quiet, json=json)


def report_outcomes(outcomes: list[batch.Outcome], columns: tuple[str, ...], *, quiet: bool, json: bool) -> None:
    """Print what became of each file; exit with 1 where any failed."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not quiet and not json:
        _print_table(outcomes, columns)
    for outcome in failed:
        tell(f"Error: {outcome.error}")
    if json:
        counts = {status: sum(o.status == status for o in outcomes) for status in ("done", "skipped", "failed")}
        files = [
            {"input": str(o.job.source), "output": str(o.job.target), "status": o.status, "error": o.error}
            | (vars(o.summary) if o.summary else {})
            for o in outcomes
        ]
        print_json({**counts, "files": files})
    if failed:
        raise typer.Exit(1)


def _print_table(outcomes: list[batch.Outcome], columns: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("file", "status")
    for column in columns:
        table.add_column(column, justify="right")
    for outcome in outcomes:
        values = [str(getattr(outcome.summary, column)) if outcome.summary else "" for column in columns]
        table.add_row(outcome.job.source.name, outcome.status, *values)
    Console().print(table)
