"""streamdeblur image: one picture, or many."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamdeblur.archive.inputs import find_inputs
from streamdeblur.cli.command import BOTH
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.outcomes import report_outcomes
from streamdeblur.cli.output import print_json, print_words
from streamdeblur.cli.parameters import Config, Json, OutFolder, Quiet
from streamdeblur.errors import OptionError
from streamdeblur.jobs import batch
from streamdeblur.options import ImageBatchOptions, unused_overwrite

if TYPE_CHECKING:
    from streamdeblur.jobs.image import ImageSummary

logger = logging.getLogger(__name__)

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar=BOTH, help="INPUT OUTPUT; or with --out any number of pictures, folders and patterns ('stills/*.jpg')."
    ),
]


@with_settings(ImageBatchOptions, without=["detect_every"])
def command(
    paths: Paths, out: OutFolder = None, config: Config = None, quiet: Quiet = False, json: Json = False, **settings: object
) -> None:
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.jobs.image import SUFFIXES

        options = ImageBatchOptions.load(config, **settings)
        for warning in unused_overwrite(options):
            logger.warning("%s.", warning)
        if "detect_every" in options.restoration.model_fields_set:
            logger.warning("detect_every has no effect: faces are looked for in each picture.")
        if out is not None:
            jobs = batch.plan(find_inputs(paths, out), out, set(SUFFIXES))
        elif len(paths) == 2:
            jobs = [batch.Job(Path(paths[0]), Path(paths[1]))]
        else:
            raise OptionError("Give an input and an output, or several inputs and --out DIR.")
        _run(jobs, options, single=out is None, quiet=quiet, json=json)


def _run(jobs: Sequence[batch.Job], options: ImageBatchOptions, *, single: bool, quiet: bool, json: bool) -> None:
    from streamdeblur.deblurrer import FaceDeblurrer
    from streamdeblur.jobs.image import deblur_image

    with FaceDeblurrer(options.restoration) as deblurrer:

        def work(job: batch.Job) -> ImageSummary:
            return deblur_image(job.source, job.target, deblurrer, overwrite=options.overwrite, side_by_side=options.side_by_side)

        if single and not (options.resume and jobs[0].target.exists()):
            _report_one(work(jobs[0]), quiet=quiet, json=json)
            return
        outcomes = list(batch.run(jobs, work, resume=options.resume))
    report_outcomes(outcomes, ["faces", "restored"], quiet=quiet, json=json)


def _report_one(summary: ImageSummary, *, quiet: bool, json: bool) -> None:
    if json:
        print_json(asdict(summary))
    elif not quiet:
        print_words(f"{summary.output}: {summary.faces_in_words}; {summary.network}")
