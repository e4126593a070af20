"""streamdeblur export: a trained network as ONNX."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.files import refuse_existing

Run = Annotated[Path, typer.Argument(help="Folder of a run that 'train' made.")]
Target = Annotated[Path, typer.Argument(help="The ONNX file to write.")]
Precision = Annotated[
    Literal["fp32", "fp16-stored", "fp16"],
    typer.Option(help="fp32; fp16-stored: half the size, computes in float32; fp16: computes in float16 (GPUs)."),
]
Card = Annotated[Path | None, typer.Option(help="Model card (Markdown) to embed.")]
Licence = Annotated[str, typer.Option(help="Licence of the weights, to embed.")]
Overwrite = Annotated[bool, typer.Option(help="Replace the file if it exists.")]


def command(
    run: Run,
    out: Target,
    precision: Precision = "fp32",
    card: Card = None,
    licence: Licence = "MIT",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    with handle_errors(quiet=quiet, json=json):
        refuse_existing(out, overwrite=overwrite)
        with needs_extra("train", "Exporting"):
            from streamdeblur.training.export import export

        exported = export(run, out, precision=precision, card=card, licence=licence)
        if json:
            print_json(asdict(exported))
        elif not quiet:
            typer.echo(
                f"{exported.path}: {exported.parameters:,} parameters, {exported.bytes / 1e6:.1f} MB, "
                f"differs from torch by {exported.difference:.1g} at most"
            )
