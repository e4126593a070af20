"""streamdeblur dataset build: face clips from videos."""

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
from streamdeblur.training.datasets.options import ClipsOptions

__all__ = ["OPTIONAL_VALUES", "command"]

Videos = Annotated[Path, typer.Argument(help="A video, or a folder of them, also in subfolders.")]


@with_settings(ClipsOptions)
def command(
    videos: Videos,
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
    """A build that was interrupted continues where it stopped. The same videos give the same bytes."""
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.training.datasets.clips import build_clips
        from streamdeblur.training.datasets.identities import Identities

        options = ClipsOptions.validated(settings)
        work = partial(build_clips, videos, out, options, identities=Identities.read(identities))
        run_build(work, out, workers=workers, ray=ray, shard_mb=shard_mb, overwrite=overwrite, quiet=quiet, json=json)
