"""streamdeblur video: one video file, or many."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.outcomes import report_outcomes
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json, OutFolder, Quiet
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.errors import OptionError
from streamdeblur.jobs import batch
from streamdeblur.options import VideoBatchOptions, unused_overwrite
from streamdeblur.statistics import shown_sizes

if TYPE_CHECKING:
    from streamdeblur.jobs.video import VideoSummary

logger = logging.getLogger(__name__)

Paths = Annotated[list[str], typer.Argument(help="INPUT OUTPUT; or with --out any number of video files and folders.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file with settings, or a shipped one: archive, preview. Options given here win."),
]


@with_settings(VideoBatchOptions)
def command(
    paths: Paths, out: OutFolder = None, config: Config = None, quiet: Quiet = False, json: Json = False, **settings: Any
) -> None:
    with handle_errors(quiet=quiet, json=json):
        options = VideoBatchOptions.load(config, **settings)
        for warning in unused_overwrite(options):
            logger.warning("%s.", warning)
        if out is not None:
            _many([Path(path) for path in paths], out, options, quiet=quiet, json=json)
        elif len(paths) == 2:
            _one(paths[0], Path(paths[1]), options, quiet=quiet, json=json)
        else:
            raise OptionError("Give an input and an output, or several inputs and --out DIR.")


def _one(source: str, target: Path, options: VideoBatchOptions, *, quiet: bool, json: bool) -> None:
    from streamdeblur.jobs.video import deblur_video

    if options.resume and target.exists():
        logger.info("%s is complete already: skipped.", target)
        if json:
            print_json({"input": source, "output": str(target), "status": "skipped"})
        return
    with ProgressLine(Path(source).name, quiet=quiet) as line:
        summary = deblur_video(source, target, options, on_progress=line.show_frames)
    if json:
        print_json(asdict(summary))
    elif not quiet:
        typer.echo(
            f"{summary.output}: {summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} fps); "
            f"{summary.faces} faces, {summary.restored} restored{shown_sizes(summary.restored_by_size)}, "
            f"{summary.skipped_sharp} left as they are; "
            f"{summary.network}, {summary.engine}, {summary.detector}"
        )


def _many(inputs: list[Path], folder: Path, options: VideoBatchOptions, *, quiet: bool, json: bool) -> None:
    from streamdeblur.deblurrer import FaceDeblurrer
    from streamdeblur.jobs.video import deblur_video
    from streamdeblur.video.encoders import writable_suffix

    jobs = batch.plan(inputs, folder, batch.VIDEO_SUFFIXES, writable_suffix)
    for job in jobs:
        if job.target.suffix != job.source.suffix:
            logger.info("%s is written as %s: %s files cannot be written.", job.source, job.target.name, job.source.suffix)
    with FaceDeblurrer(options.restoration, throughput=True) as deblurrer:

        def work(job: batch.Job) -> VideoSummary:
            with ProgressLine(job.source.name, quiet=quiet) as line:
                return deblur_video(job.source, job.target, options, on_progress=line.show_frames, deblurrer=deblurrer)

        outcomes = list(batch.run(jobs, work, resume=options.resume))
    report_outcomes(outcomes, ["frames", "fps", "faces", "restored"], quiet=quiet, json=json)
