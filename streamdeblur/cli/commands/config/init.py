"""streamdeblur config init: a file of all settings of a command, to be edited."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from streamdeblur.cli.configurable import Configurable, commented_settings, json_schema, settings_of
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.errors import OutputError
from streamdeblur.files import refuse_existing
from streamdeblur.partial_file import write_file

logger = logging.getLogger(__name__)

File = Annotated[Path, typer.Argument(help="The file to write; beside it, NAME.schema.json tells editors what may stand in it.")]
For = Annotated[Configurable, typer.Option("--for", help="Command whose settings are written.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace files that exist.")]


def command(file: File = Path("streamdeblur.yaml"), name: For = "video", overwrite: Overwrite = False) -> None:
    """Each setting stands after a #, with its default: remove the # before what you change, and give the file to --config."""
    with handle_errors():
        if file.suffix.lower() not in (".yaml", ".yml"):
            raise OutputError(f"{file} is no name for YAML. Name it {file.with_suffix('.yaml')}.")
        schema = file.with_suffix(".schema.json")
        for target in (file, schema):
            refuse_existing(target, overwrite=overwrite)
        head = f"# yaml-language-server: $schema={schema.name}\n# Settings of: streamdeblur {name} --config {file.name}\n"
        write_file(schema, json.dumps(json_schema(settings_of(name)), indent=2) + "\n")
        write_file(file, head + commented_settings(name))
        logger.info("%s has all settings of 'streamdeblur %s'; %s is for editors.", file, name, schema)
