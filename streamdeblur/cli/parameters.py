"""Command-line parameters that several commands share and that are not settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OutFolder = Annotated[Path | None, typer.Option("--out", help="Folder for the results of several inputs, under the same names.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file with settings, under the names of the options. Options given here win."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]
