"""streamdeblur train measure: the figures of a model card."""

from __future__ import annotations

from typing import Annotated

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.extras import needs_extra
from streamdeblur.cli.training import HeldOutClips, HeldOutStills
from streamdeblur.errors import OptionError
from streamdeblur.weights import network_path

Network = Annotated[str, typer.Argument(help="ONNX file that 'export' wrote, or the name of a shipped network.")]
Seed = Annotated[int, typer.Option(help="Seed of the blurry inputs.")]


def command(network: Network, held_out_stills: HeldOutStills = None, held_out_clips: HeldOutClips = None, seed: Seed = 0) -> None:
    with handle_errors():
        if held_out_stills is None and held_out_clips is None:
            raise OptionError("Nothing to measure on: give --held-out-stills, --held-out-clips or both.")
        with needs_extra("eval", "Measuring"):
            from streamdeblur.evaluation import model_card

        for number, summary in enumerate(model_card.measure(network_path(network), held_out_stills, held_out_clips, seed)):
            if number == 0:
                typer.echo(model_card.table_head(summary))
            typer.echo(model_card.table_row(summary))
