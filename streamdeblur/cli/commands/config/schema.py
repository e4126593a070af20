"""streamdeblur config schema: the JSON Schema of a file of settings."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from streamdeblur.cli.configurable import Configurable, json_schema, settings_of
from streamdeblur.cli.exit_codes import handle_errors

Name = Annotated[Configurable, typer.Argument(help="Command whose settings are described.")]


def command(name: Name = "video") -> None:
    with handle_errors():
        typer.echo(json.dumps(json_schema(settings_of(name)), indent=2))
