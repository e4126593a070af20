"""streamdeblur evaluate: how much of what blur took away comes back, for any method, on any data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.commands.video import Json, Quiet
from streamdeblur.cli.report import exits, needs_extra, print_json, tell
from streamdeblur.cli.steps import StepLine
from streamdeblur.errors import OptionError

Data = Annotated[
    Path | None,
    typer.Argument(
        help="Clips or stills: shards, videos, pictures; 300VW, YouTube Faces, 300-W, LFW as they come.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for the report and all pictures; what it holds already is not done again.")]
Protocols = Annotated[
    str,
    typer.Option("--protocol", help="Comma-separated: pravg:L, vla, pravg+camera:L, vla+camera, synthetic, as-is, sharp."),
]
Methods = Annotated[str, typer.Option(help="Comma-separated; --list shows all.")]
Limit = Annotated[int | None, typer.Option(help="Faces of a protocol at most; 0 takes all.")]
Seed = Annotated[int, typer.Option(help="Of the blur and of the choice of faces.")]
Response = Annotated[str, typer.Option(help="Where light adds up: identity, srgb, gamma:EXPONENT or fitted:FILE.json.")]
Localiser = Annotated[str, typer.Option(help="Finds landmarks: dlib, mesh[:FILE], insightface[:FILE] or none.")]
Second = Annotated[str, typer.Option(help="Finds them once more; auto takes the first other one that is installed.")]
Embedder = Annotated[str, typer.Option(help="Tells who a face is: dlib, arcface[:FILE] or none.")]
Runs = Annotated[int, typer.Option(min=0, help="Clips of which frames in a row show whether a method flickers; 0: none.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that examine faces and run the slow methods.")]
List = Annotated[bool, typer.Option("--list", help="Show the methods and end.")]


def command(
    data: Data = None,
    out: Out = Path("evaluation"),
    protocol: Protocols = "pravg:11",
    methods: Methods = "blurred,ours,oracle",
    limit: Limit = 100,
    seed: Seed = 0,
    response: Response = "identity",
    localiser: Localiser = "dlib",
    second: Second = "auto",
    embedder: Embedder = "dlib",
    runs: Runs = 4,
    workers: Workers = 1,
    list_methods: List = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    with exits(quiet=quiet, json=json):
        with needs_extra("eval", "Evaluating"):
            from streamdeblur.evaluation.evaluate import evaluate
            from streamdeblur.evaluation.methods import METHODS
            from streamdeblur.evaluation.options import EvaluationOptions
            from streamdeblur.evaluation.report.markdown import table_text
            from streamdeblur.evaluation.report.tables import figures_table
            from streamdeblur.evaluation.report.write import as_json, write_report
            from streamdeblur.evaluation.sources import open_data
            from streamdeblur.evaluation.summary import summarise

        if list_methods:
            for name, what in METHODS.items():
                typer.echo(f"{name:16} {what}")
            return
        if data is None:
            raise OptionError("Name the data to evaluate on: a folder or file of clips or stills.")
        options = EvaluationOptions.validated(
            {
                "protocols": _split(protocol), "methods": _split(methods), "limit": limit or None, "seed": seed,
                "response": response, "localiser": localiser, "second": second, "embedder": embedder, "runs": runs,
                "workers": workers,
            }
        )  # fmt: skip
        opened = open_data(data)
        tell(str(opened), quiet=quiet)
        evaluated, summaries = [], []
        began = time.monotonic()
        with StepLine(out.name, quiet=quiet) as line:
            for found in evaluate(opened, options, out, lambda title, done, total: line.show(done, total, title)):
                evaluated.append(found)
                summaries.append(summarise(found, seed))
                if not quiet and not json:
                    typer.echo(f"{found.protocol}\n{table_text(figures_table(summaries[-1]))}")
        made = {
            "data": str(opened),
            "made with": f"seed {seed}, response {response}, at most {options.limit or 'all'} faces of each protocol",
        }
        page = write_report(out, made, evaluated, summaries)
        if json:
            print_json(
                {"report": page, "seconds": round(time.monotonic() - began, 1), "protocols": [as_json(s) for s in summaries]}
            )
        elif not quiet:
            typer.echo(f"{page}")


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
