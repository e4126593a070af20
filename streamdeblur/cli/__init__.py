"""The command line. Each command is a file of its own, imported only when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer

COMMANDS = {
    "video": "Deblur the faces of video files.",
    "image": "Deblur the faces of pictures.",
    "demo": "Show what streamdeblur does, on a clip that it makes itself.",
    "doctor": "Show what streamdeblur found on this machine: versions, engines, detectors, codecs.",
}

HELP = "streamdeblur removes motion blur from the faces in video."
EPILOG = "Exit codes: 0 done; 1 a file given with --out failed; 2 wrong input, output or setting; 130 interrupted."


def build(command: str | None) -> typer.Typer:
    """The application; of its commands only `command` is imported, the others are known by name."""
    app = typer.Typer(
        name="streamdeblur", help=HELP, epilog=EPILOG, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    app.callback()(_root)
    for name, summary in COMMANDS.items():
        function = import_module(f"streamdeblur.cli.{name}").command if name == command else _placeholder
        app.command(name, help=summary, epilog=EPILOG)(function)
    return app


def _placeholder() -> None:
    """Stands for a command that was not asked for."""


def _print_version(asked: bool) -> None:
    if asked:
        from streamdeblur import __version__

        typer.echo(f"streamdeblur {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the `streamdeblur` command."""
    command = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    build(command)()
