"""streamdeblur video: one video file, or many."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.archive.inputs import find_inputs
from streamdeblur.cli.batch_progress import BatchProgress
from streamdeblur.cli.command import BOTH
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.outcomes import report_outcomes
from streamdeblur.cli.output import print_json, print_words
from streamdeblur.cli.parameters import Json, OutFolder, Quiet, config_option
from streamdeblur.cli.process import NO_READER
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.configs import VIDEO
from streamdeblur.errors import NoReaderError, OptionError
from streamdeblur.options import ArchiveOptions, VideoBatchOptions, unused_overwrite
from streamdeblur.video.source import shown_input
from streamdeblur.video.stdin import STDOUT

logger = logging.getLogger(__name__)

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar=BOTH,
        help="INPUT OUTPUT, where - is stdin or stdout; or with --out any number of video files, folders and patterns "
        "('clips/*.mp4').",
    ),
]
Config = Annotated[Path | None, config_option(VIDEO)]


@with_settings(VideoBatchOptions)
def command(
    paths: Paths, out: OutFolder = None, config: Config = None, quiet: Quiet = False, json: Json = False, **settings: Any
) -> None:
    # the video may go to stdout
    err = out is None and paths[-1] == STDOUT
    with handle_errors(quiet=quiet, json=json, err=err):
        options = VideoBatchOptions.load(config, **settings)
        for warning in unused_overwrite(options):
            logger.warning("%s.", warning)
        if out is not None:
            _many(find_inputs(paths, out), out, options, quiet=quiet, json=json)
        elif len(paths) == 2:
            _one(paths[0], paths[1], options, quiet=quiet, json=json, err=err)
        else:
            raise OptionError("Give an input and an output, or several inputs and --out DIR.")


def _one(source: str, target: str, options: VideoBatchOptions, *, quiet: bool, json: bool, err: bool) -> None:
    from streamdeblur.jobs.video import deblur_video

    if options.resume and target != STDOUT and Path(target).exists():
        logger.info("%s is complete already: skipped.", target)
        if json:
            print_json({"input": source, "output": target, "status": "skipped"})
        return
    try:
        with ProgressLine(Path(shown_input(source)).name, quiet=quiet) as line:
            summary = deblur_video(source, target, options, on_progress=line.show_frames)
    except NoReaderError:
        raise typer.Exit(NO_READER) from None
    if json:
        print_json(asdict(summary), err=err)
    elif not quiet:
        print_words(summary.in_words, err=err)


def _many(inputs: list[Path], folder: Path, options: VideoBatchOptions, *, quiet: bool, json: bool) -> None:
    """Do what ``batch`` does, in this process; the plan is kept only where the work is interrupted."""
    from streamdeblur.archive.archive import forget, own_folder, restore_archive
    from streamdeblur.archive.pool import OwnProcess

    alone = ArchiveOptions.validated({**options.model_dump(exclude_unset=True), "workers": 1})
    with goes_on_with_the_same_command(folder), BatchProgress(quiet=quiet) as progress:
        plan = own_folder(inputs, folder)
        outcome = restore_archive(inputs, folder, alone, OwnProcess, progress.plan, plan)
        forget(plan)
    report_outcomes(outcome.files, ["frames", "fps", "faces", "restored"], quiet=quiet, json=json)
