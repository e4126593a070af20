"""streamdeblur dataset stills: sharp face crops from pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.dataset import IdentityTable, Making, Out, Overwrite, ShardMegabytes, Workers
from streamdeblur.cli.exit_codes import exits
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.training.datasets.options import StillsOptions

Pictures = Annotated[Path, typer.Argument(help="A folder of pictures (JPEG, PNG, WebP, BMP), also in subfolders.")]


@with_settings(StillsOptions)
def command(
    pictures: Pictures,
    out: Out,
    identities: IdentityTable = None,
    workers: Workers = None,
    shard_mb: ShardMegabytes = 500,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    with exits(quiet=quiet, json=json):
        from streamdeblur.training.datasets.identities import Identities
        from streamdeblur.training.datasets.stills import build_stills

        options = StillsOptions.validated(settings)
        work = partial(build_stills, pictures, out, options, identities=Identities.read(identities))
        Making(out, workers, shard_mb, overwrite, quiet, json).run(work)
