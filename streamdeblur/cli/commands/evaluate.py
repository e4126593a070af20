"""streamdeblur evaluate: a benchmark of deblurring methods on any data."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.clusters import OPTIONAL_VALUES, RayAddress, processes_of
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.output import print_json, terminal_width
from streamdeblur.cli.parameters import Json, Quiet, config_option
from streamdeblur.cli.progress import ProgressLine
from streamdeblur.cli.resuming import goes_on_with_the_same_command
from streamdeblur.errors import OptionError, OutputError
from streamdeblur.evaluation.options import EvaluationOptions
from streamdeblur.files import refuse_inside

__all__ = ["OPTIONAL_VALUES", "command"]

logger = logging.getLogger(__name__)

Data = Annotated[
    Path | None,
    typer.Argument(
        help="Clips or stills: shards, videos, pictures; 300VW, YouTube Faces, 300-W, LFW as they are distributed.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for the report and all pictures. Results that it holds are kept.")]
List = Annotated[bool, typer.Option("--list", help="Show the methods and end.")]
Config = Annotated[Path | None, config_option(())]


@with_settings(
    EvaluationOptions,
    flags={"protocols": "--protocol", "landmark_detector": "--localiser", "second_detector": "--second"},
)
def command(
    data: Data = None,
    out: Out = Path("evaluation"),
    list_methods: List = False,
    ray: RayAddress = None,
    config: Config = None,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    """--protocol and --methods take several names, separated by commas."""
    with handle_errors(quiet=quiet, json=json):
        with needs_extra("eval", "Evaluating"):
            from streamdeblur.evaluation.methods import METHODS

        if list_methods:
            for name, summary in METHODS.items():
                typer.echo(f"{name:16} {summary}")
            return
        if data is None:
            raise OptionError("Name the data to evaluate on: a folder or file of clips or stills.")
        options = EvaluationOptions.load(config, **{name: _split(value) for name, value in settings.items()})
        refuse_inside(out, data)
        # the report of an evaluation is made again from its results; any other one would be lost
        if (out / "report.html").exists() and not (out / "results.jsonl").exists():
            raise OutputError(f"{out} holds a report, but not its results: it is not replaced. Name another folder with --out.")
        with processes_of(ray) as cores:
            if cores and "workers" not in options.model_fields_set:
                options = options.changed(workers=cores)
            _evaluate(data, out, options, quiet=quiet, json=json)


def _split(value: object) -> object:
    """Split names that are separated by commas; other values stay as they are."""
    if not isinstance(value, list):
        return value
    return [name.strip() for names in value for name in names.split(",") if name.strip()]


def _evaluate(data: Path, out: Path, options: EvaluationOptions, *, quiet: bool, json: bool) -> None:
    with needs_extra("eval", "Evaluating"):
        from streamdeblur.evaluation.evaluate import evaluate
        from streamdeblur.evaluation.report.terminal import terminal_text
        from streamdeblur.evaluation.report.write import as_json, write_report
        from streamdeblur.evaluation.sources import open_data
        from streamdeblur.evaluation.summary import summarise

    opened = open_data(data)
    logger.info("%s", opened)
    evaluated, summaries = [], []
    began = time.monotonic()
    with goes_on_with_the_same_command(out / "results.jsonl"), ProgressLine(out.name, quiet=quiet) as line:
        for found in evaluate(opened, options, out, lambda title, done, total: line.show(done, total, title)):
            evaluated.append(found)
            summaries.append(summarise(found, options.seed))
            if not quiet and not json:
                typer.echo(terminal_text(summaries[-1], terminal_width(), tests=False))
    faces = f"at most {options.limit or 'all'} faces of each protocol"
    faces += f", stride {options.stride}" if options.stride > 1 else ""
    noise = f", noise {options.noise:g}" if options.noise else ""
    noise += f", PSNR of the blurry faces at most {options.visible_blur:g} dB" if options.visible_blur else ""
    made = {"data": str(opened), "made with": f"seed {options.seed}, response {options.response}{noise}, {faces}"}
    page = write_report(out, made, evaluated, summaries)
    if json:
        seconds = round(time.monotonic() - began, 1)
        print_json({"report": page, "seconds": seconds, "protocols": [as_json(summary) for summary in summaries]})
    elif not quiet:
        typer.echo(page)
