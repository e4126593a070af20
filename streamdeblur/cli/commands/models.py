"""streamdeblur models: the networks at hand, and what each of them takes and gains."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json, print_table, print_words
from streamdeblur.cli.parameters import Json

Files = Annotated[list[Path] | None, typer.Argument(metavar="[FILE.onnx]...", help="Networks of your own, to be listed as well.")]
Measure = Annotated[
    bool, typer.Option("--measure", help="Measure how long each takes on this machine, which takes some seconds.")
]

COLUMNS = {"shake": "VLA with camera shake, 4 to 24 px", "motion": "PrAvg 11"}
"""The kinds of blur in the model card whose gain is shown."""


def command(files: Files = None, measure: Measure = False, json: Json = False) -> None:
    with handle_errors(json=json):
        from streamdeblur.models import networks_at_hand

        found = networks_at_hand(files or [], measured=measure)
        if json:
            print_json({"networks": [asdict(one) for one in found]})
            return
        rows = [
            [
                one.name, one.summary, one.megabytes, "-" if one.ms is None else f"{one.ms:.1f}",
                *(f"{one.gains[blur]:+.1f}" if blur in one.gains else "-" for blur in COLUMNS.values()), one.licence,
            ]
            for one in found
        ]  # fmt: skip
        print_table(["--network", "what it does", "MB", "ms", *COLUMNS, "licence"], rows)
        print_words(
            "ms: a face of 256 px on this machine. shake, motion: gain in dB on blur of a camera, and of faces that move."
        )
        if any(one.ms is None for one in found):
            typer.echo("Not measured yet: streamdeblur models --measure")
