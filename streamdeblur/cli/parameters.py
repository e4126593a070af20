"""Command-line parameters that several commands share and that are not settings."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.configs import ALL
from streamdeblur.setting_types import LONGEST_TIME, TIME, parse_seconds

NAME_OR_FILE = "FILE|NAME"
"""What stands for the value of an option that takes what is shipped by its name, and files of your own."""

OutFolder = Annotated[Path | None, typer.Option("--out", help="Folder for the results of several inputs, under the same names.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


def config_option(shipped: Collection[str]) -> Any:
    """Return an option for a file of settings.

    Args:
        shipped: Names of the shipped settings for the command.
    """
    names = f", or shipped settings: {', '.join(shipped)}" if shipped else ""
    text = f"YAML file with settings under the names of the options{names}. Options given here win."
    return typer.Option("--config", metavar=NAME_OR_FILE if shipped else "FILE", help=text, autocompletion=lambda: list(shipped))


Config = Annotated[Path | None, config_option(ALL)]


def seconds_option(help_text: str, least: float = 0.0, most: float = LONGEST_TIME) -> Any:
    """Return the option --seconds (-t as in ffmpeg) for a time, in seconds or as [HH:]MM:SS.

    Args:
        help_text: What the time is for.
        least: Shortest time in seconds.
        most: Longest time in seconds.
    """

    def parse(text: str) -> float:
        try:
            seconds = float(parse_seconds(text))
        except ValueError:
            seconds = math.nan
        if not least <= seconds <= most:
            raise typer.BadParameter(f"'{text}' is not {TIME.words}, from {least:g} to {most:,.0f} s.")
        return seconds

    return typer.Option("--seconds", "-t", parser=parse, metavar=TIME.placeholder, help=help_text)
