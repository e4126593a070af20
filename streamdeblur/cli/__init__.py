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
    "blur": "Blur sharp video as an exposure would, to train and to measure with.",
    "live": "Deblur the faces of a camera or another stream, as it comes.",
    "serve": "Show a page in the browser: webcam, pictures and clips, before and after.",
    "pipe": "Deblur the faces of frames on stdin, and write them to stdout.",
    "evaluate": "Measure how much of what blur took away comes back, for any method on any data.",
    "compare": "Measure how near videos are to a sharp one: the faces in them, and whether they flicker.",
    "export": "Write a trained network as the ONNX file that the other commands run.",
    "doctor": "Show what streamdeblur found on this machine: versions, engines, detectors, codecs.",
}

GROUPS = {
    "dataset": "Make data sets of face clips, and pairs of blurry and sharp crops, from videos and pictures.",
    "train": "Train the two steps of the method.",
    "engine": "TensorRT engines of an NVIDIA GPU: build them ahead of time, list and clear them.",
    "gstreamer": "The element facedeblur for GStreamer.",
}

HELP = "streamdeblur removes motion blur from the faces in video."
EPILOG = "Exit codes: 0 done; 1 a file given with --out failed; 2 wrong input, output or setting; 130 interrupted."


def build(command: str | None) -> typer.Typer:
    """The application; of its commands and groups only `command` is imported, the others are known by name."""
    app = typer.Typer(
        name="streamdeblur", help=HELP, epilog=EPILOG, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    app.callback()(_root)
    for name, summary in COMMANDS.items():
        function = import_module(f"streamdeblur.cli.commands.{name}").command if name == command else _placeholder
        app.command(name, help=summary, epilog=EPILOG)(function)
    for name, summary in GROUPS.items():
        group = import_module(f"streamdeblur.cli.commands.{name}").app if name == command else typer.Typer()
        if name != command:
            group.command()(_placeholder)
        app.add_typer(group, name=name, help=summary, epilog=EPILOG, no_args_is_help=True)
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
