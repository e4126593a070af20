"""The application: its commands, known by name and summary, and imported when they are called."""

from __future__ import annotations

from importlib import import_module
from inspect import getdoc
from itertools import zip_longest
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand
from typer.main import get_command

from streamdeblur.cli.command import Command, Group
from streamdeblur.cli.memory import REFUSED, lack_of_memory, small_limit

PACKAGE = "streamdeblur.cli.commands"

COMMANDS = {
    "video": "Deblur the faces in video files.",
    "batch": "Deblur the faces in many video files, by several processes or machines, and go on after an interruption.",
    "image": "Deblur the faces in pictures.",
    "preview": "Show one frame of a video before and after, each face enlarged with what was done with it, as a picture.",
    "demo": "Make a blurry clip, deblur it and measure the result.",
    "blur": "Blur sharp video as a long exposure does, to make pairs for training and evaluation.",
    "live": "Deblur the faces in a camera or network stream in real time.",
    "serve": "Serve a page for the browser: webcam, pictures and clips, before and after.",
    "pipe": "Deblur the faces in frames from stdin, and write the frames to stdout.",
    "evaluate": "Benchmark deblurring methods: image quality, landmarks, identity.",
    "compare": "Compare videos with a sharp one of the same scene: image quality of faces, temporal stability.",
    "export": "Export a trained network as the ONNX file that the other commands run.",
    "models": "List the networks that --network takes: size, time on this machine, gain, licence.",
    "doctor": "Show the versions, engines, detectors and codecs on this machine.",
}
"""The summary of each command, which is the function `command` of the module of that name."""

GROUPS = {
    "config": (
        "Write, show and describe files of settings.",
        {
            "init": "Write a YAML file of all settings of a command, to be edited.",
            "show": "Show the settings that a command would use, and where each is from: default, file, command line.",
            "schema": "Print the JSON Schema of a file of settings, for editors.",
        },
    ),
    "dataset": (
        "Make data sets of face clips, and pairs of blurry and sharp crops, from videos and pictures.",
        {
            "build": "Find and track the faces in videos, and keep clips of consecutive sharp frames.",
            "stills": "Cut the sharp faces out of pictures, as crops of 256 px.",
            "pairs": "Make pairs of a blurry and a sharp crop by averaging the frames of clips, forward and in reverse.",
            "stats": "Count videos, people and frames (the columns of the paper's Table 2), with histograms.",
        },
    ),
    "train": (
        "Train the two steps of the method, and the methods that it is compared with.",
        {
            "hourglass": "Train step 1: the hourglass, which restores low and middle frequencies.",
            "cgan": "Train step 2: the conditional GAN, which restores high frequencies. The hourglass is not changed.",
            "compared": "Train one of the learned methods that the paper compares with.",
            "gain": "Fit the estimate of what a network gains, by which faces are chosen.",
            "landmarks": "Train the landmark network of the evaluation, from another detector's landmarks in sharp faces.",
            "measure": "Measure the figures of a model card on held-out people, as a table in Markdown.",
        },
    ),
    "engine": (
        "Build, list and delete TensorRT engines for an NVIDIA GPU.",
        {
            "build": "Build a network's engine for this GPU ahead of time, which takes minutes, so that no video waits for it.",
            "list": "List the engines that are built.",
            "clear": "Delete all engines. They are built again when they are needed.",
        },
    ),
    "gstreamer": (
        "Install the GStreamer element facedeblur.",
        {
            "install": "Install the plug-in's file, and show how GStreamer finds it.",
            "where": "Show where the plug-in's file is installed.",
        },
    ),
}
"""The summary of each group, and of its commands."""

HELP = "streamdeblur removes motion blur from the faces in video."
START = f"""{HELP}

  streamdeblur video talk.mp4 sharp.mp4    a video, with its sound and subtitles
  streamdeblur video clips/ --out sharp/   all videos in a folder
  streamdeblur image face.jpg sharp.jpg    a picture
  streamdeblur live                        the webcam, in a window
  streamdeblur serve                       a page for the browser

All commands: streamdeblur --help. Options of one: streamdeblur video --help.
A first try: streamdeblur demo."""
"""What the program says when it is called without a command."""
EPILOG = "Exit codes: 0 done; 1 a file given with --out failed; 2 wrong input, output or setting; 130 interrupted; 141 no reader."


class LazyCommand(TyperCommand):
    """A command known by its name and summary; its module is imported when the command is called.

    The help of a command shows its summary, and below it the docstring of the module's function `command`.
    """

    def __init__(self, name: str, summary: str, module: str) -> None:
        super().__init__(name, help=summary)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], *others: Any, **kwargs: Any) -> Any:
        """Make the context in which the imported command runs, in place of this one."""
        words = small_limit()
        try:
            command = self.load() if words is None else _refuse(words)
            return command.make_context(info_name, with_values(args, self._module), *others, **kwargs)
        except (MemoryError, OSError, ImportError, RuntimeError) as error:
            words = lack_of_memory(error)
            if words is None:
                raise
            _refuse(words)

    def load(self) -> TyperCommand:
        """Import the module, and make the command of its function."""
        from streamdeblur.cli.log_options import with_log_options

        module = import_module(self._module)
        function = module.command
        app = typer.Typer(add_completion=False)
        # the lines of a docstring are those of the source, and the terminal has its own
        paragraphs = (getdoc(function) or "").split("\n\n")
        text = "\n\n".join(filter(None, (self.help, *(paragraph.replace("\n", " ") for paragraph in paragraphs))))
        context = getattr(module, "CONTEXT", None)
        app.command(self.name, cls=Command, context_settings=context, help=text, epilog=EPILOG)(with_log_options(function))
        command = get_command(app)
        assert isinstance(command, TyperCommand)
        return command


def with_values(arguments: list[str], module: str) -> list[str]:
    """Return arguments in which options that may stand alone have the value that this means.

    They are those of `log_options`, and those in `OPTIONAL_VALUES` of the module.
    """
    from streamdeblur.cli import log_options

    own: dict[str, str] = getattr(import_module(module), "OPTIONAL_VALUES", {})
    complete = list[str]()
    for argument, following in zip_longest(arguments, arguments[1:]):
        complete.append(argument)
        if argument in own and (following is None or following.startswith("-")):
            complete.append(own[argument])
        elif argument in log_options.OPTIONAL_VALUES and following not in log_options.LEVELS:
            complete.append(log_options.OPTIONAL_VALUES[argument])
    return complete


def _refuse(words: str) -> NoReturn:
    typer.echo(f"Error: {words}", err=True)
    raise typer.Exit(REFUSED)


def build_app() -> Group:
    """Build the whole application without importing the module of any command."""
    names = {"help_option_names": ["-h", "--help"]}
    root = typer.Typer(name="streamdeblur", cls=Group, help=HELP, epilog=EPILOG, context_settings=names)
    root.callback(invoke_without_command=True)(_root)
    app = get_command(root)
    assert isinstance(app, Group)
    _add_commands(app, PACKAGE, COMMANDS)
    for name, (summary, commands) in GROUPS.items():
        group = Group(name=name, help=summary, epilog=EPILOG, no_args_is_help=True)
        _add_commands(group, f"{PACKAGE}.{name}", commands)
        app.add_command(group)
    return app


def _add_commands(group: Group, package: str, summaries: dict[str, str]) -> None:
    for name, summary in summaries.items():
        group.add_command(LazyCommand(name, summary, f"{package}.{name}"))


def _show_version(requested: bool) -> None:
    if requested:
        from streamdeblur import __version__

        typer.echo(f"streamdeblur {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(START)
