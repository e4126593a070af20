"""streamdeblur image: one picture, or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.cli.commands.video import Config, Json, Quiet, report_outcomes
from streamdeblur.cli.report import exits, print_json, tell
from streamdeblur.cli.settings import RESTORATION, accepts
from streamdeblur.errors import OptionError
from streamdeblur.jobs import batch
from streamdeblur.options import ImageBatchOptions

Paths = Annotated[list[Path], typer.Argument(help="INPUT OUTPUT; or with --out any number of pictures and folders.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results of several inputs, under the same names.")]


@accepts(*RESTORATION, "overwrite", "resume", model=ImageBatchOptions)
def command(
    paths: Paths, out: Out = None, config: Config = None, quiet: Quiet = False, json: Json = False, **settings: Any
) -> None:
    with exits(quiet=quiet, json=json):
        options = ImageBatchOptions.load(config, **settings)
        from streamdeblur.jobs.image import SUFFIXES

        if out is not None:
            jobs = batch.plan(paths, out, set(SUFFIXES))
        elif len(paths) == 2:
            jobs = [batch.Job(paths[0], paths[1])]
        else:
            raise OptionError("Give an input and an output, or several inputs and --out DIR.")
        _run(jobs, options, single=out is None, quiet=quiet, json=json)


def _run(jobs: list[batch.Job], options: ImageBatchOptions, *, single: bool, quiet: bool, json: bool) -> None:
    from streamdeblur.deblurrer import FaceDeblurrer
    from streamdeblur.jobs.image import ImageSummary, deblur_image

    with FaceDeblurrer(options.restoration) as deblurrer:

        def work(job: batch.Job) -> ImageSummary:
            summary = deblur_image(job.source, job.target, deblurrer, overwrite=options.overwrite)
            for warning in summary.warnings:
                tell(f"Warning: {job.source.name}: {warning}")
            return summary

        if single and not (options.resume and jobs[0].target.exists()):
            summary = work(jobs[0])
            if json:
                print_json(vars(summary))
            elif not quiet:
                typer.echo(
                    f"{summary.output}: {summary.faces} faces, {summary.restored} restored, {summary.skipped_sharp} sharp already"
                )
            return
        outcomes = list(batch.run(jobs, work, resume=options.resume))
    report_outcomes(outcomes, ("faces", "restored", "skipped_sharp"), quiet=quiet, json=json)
