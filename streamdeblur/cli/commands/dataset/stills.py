"""streamdeblur dataset stills: sharp face crops from pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.clusters import OPTIONAL_VALUES, RayAddress
from streamdeblur.cli.dataset import IdentityTable, Out, Overwrite, ShardMegabytes, Workers, run_build
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.parameters import Json, Quiet
from streamdeblur.training.datasets.options import StillsOptions

__all__ = ["OPTIONAL_VALUES", "command"]

Pictures = Annotated[Path, typer.Argument(help="A folder of pictures (JPEG, PNG, WebP, BMP), also in subfolders.")]


@with_settings(StillsOptions)
def command(
    pictures: Pictures,
    out: Out,
    identities: IdentityTable = None,
    workers: Workers = None,
    ray: RayAddress = None,
    shard_mb: ShardMegabytes = 500,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    json: Json = False,
    **settings: object,
) -> None:
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.training.datasets.identities import Identities
        from streamdeblur.training.datasets.stills import build_stills

        options = StillsOptions.validated(settings)
        work = partial(build_stills, pictures, out, options, identities=Identities.read(identities))
        run_build(work, out, workers=workers, ray=ray, shard_mb=shard_mb, overwrite=overwrite, quiet=quiet, json=json)
