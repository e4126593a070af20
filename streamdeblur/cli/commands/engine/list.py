"""streamdeblur engine list: the TensorRT engines that are built."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json
from streamdeblur.cli.parameters import Json

if TYPE_CHECKING:
    from streamdeblur.engines.tensorrt.cache import CachedEngine


def command(json: Json = False) -> None:
    with handle_errors(json=json):
        from streamdeblur.engines.tensorrt.cache import EngineCache

        cache = EngineCache()
        entries = cache.entries()
        if json:
            print_json({"folder": str(cache.folder), "engines": [_content(entry) for entry in entries]})
            return
        for entry in entries:
            typer.echo(_line(entry))
        typer.echo(f"{len(entries)} in {cache.folder}")


def _content(entry: CachedEngine) -> dict[str, object]:
    file = {"file": str(entry.path), "megabytes": round(entry.megabytes, 1), "seconds": entry.seconds, "built": entry.built}
    return asdict(entry.key) | file


def _line(entry: CachedEngine) -> str:
    key = entry.key
    made_for = f"{key.gpu}, TensorRT {key.tensorrt}, {key.precision}, {key.shapes}, network {key.network[:12]}"
    return f"{made_for}: {entry.megabytes:.1f} MB, built {entry.built} in {entry.seconds:.0f} s"
