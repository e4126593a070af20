"""streamdeblur engine clear: the TensorRT engines that are built, deleted."""

from __future__ import annotations

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json, Quiet


def command(quiet: Quiet = False, json: Json = False) -> None:
    with handle_errors(quiet=quiet, json=json):
        from streamdeblur.engines.tensorrt.cache import EngineCache

        cache = EngineCache()
        deleted = cache.clear()
        if json:
            print_json({"folder": str(cache.folder), "deleted": deleted})
        elif not quiet:
            typer.echo(f"{deleted} deleted from {cache.folder}")
