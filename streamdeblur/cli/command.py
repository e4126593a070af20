"""Commands and groups of them: their help in panels, and answers to words that they do not know."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from streamdeblur.cli.existing import ways_of
from streamdeblur.cli.panels import OTHER, panel_of, place_of
from streamdeblur.known_names import nearest, shown

BOTH = "INPUT OUTPUT"
"""What stands in the help for the arguments of a command that makes one file of another."""

FFMPEG_NAMES = {
    "--codec": ("-c", "-c:v", "-codec:v", "-vcodec"), "--quality": ("-crf", "-cq", "-qp", "-q:v"), "--audio": ("-c:a", "-acodec"),
    "--no-audio": ("-an",), "--no-subtitles": ("-sn",), "--no-data": ("-dn",), "--frames": ("-frames:v", "-vframes"),
    "--cores": ("-threads",), "--verbose": ("-loglevel",), "--log": ("-report",),
}  # fmt: skip
"""Options with what the ffmpeg command calls them, where that is no name of them here."""


class Command(TyperCommand):
    """A command whose help shows its options in panels, and which knows what the ffmpeg command calls them."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        options = [param for param in self.params if isinstance(param, TyperOption)]
        for option in options:
            option.rich_help_panel = panel_of(option.name)
        options.sort(key=lambda option: place_of(option.name))
        self.params = [*(param for param in self.params if not isinstance(param, TyperOption)), *options]

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return the option --help, which is shown with the last ones."""
        option = _with_sorted_names(super().get_help_option(ctx))
        if option is not None:
            option.rich_help_panel = OTHER
        return option

    def invoke(self, ctx: Any) -> Any:
        """Run the command, whose errors name its own options."""
        with ways_of([param for param in self.params if isinstance(param, TyperOption)]):
            return super().invoke(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; options of the ffmpeg command are answered with those that are meant."""
        known = [name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)]
        words = [] if ctx.resilient_parsing or ctx.ignore_unknown_options else args[: args.index("--")] if "--" in args else args
        for word in (word.partition("=")[0] for word in words if word.startswith("-")):
            if word == "-i" and any(param.metavar == BOTH for param in self.params):
                ctx.fail(f"No such option: -i. The input and the output are given without one: {BOTH}.")
            if word not in known and (answer := _meant(word, known)):
                ctx.fail(f"No such option: {word}. {answer}")
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            # the words of pydantic, with which typer converts values
            error.message = error.message.removeprefix("Value error, ")
            raise


def _meant(word: str, known: Sequence[str]) -> str:
    """What was probably meant by an option that is not known; empty where nothing is near, and for several short ones in one."""
    other = next((name for name, spellings in FFMPEG_NAMES.items() if word in spellings), f"-{word}")
    if other not in known:
        near = nearest(word[2:], [name[2:] for name in known if name.startswith("--")]) if word.startswith("--") else None
        other = f"--{near}" if near else ""
    return f"Did you mean {other}?" if other else ""


class Group(TyperGroup):
    """A group of commands that answers an unknown one with what was probably meant."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return the option --help."""
        return _with_sorted_names(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the first argument names, with the other arguments."""
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command: {shown(name)}.{self._meant(ctx, args)}")
        return super().resolve_command(ctx, args)

    def _meant(self, ctx: Any, args: Sequence[str]) -> str:
        """A question that names the command which was probably meant; empty where none is near."""
        if ctx.parent is None and os.path.exists(args[0]):
            from streamdeblur.pictures.writer import SUFFIXES

            command = "image" if PurePath(args[0]).suffix.lower() in SUFFIXES else "video"
            return f" Did you mean: {ctx.command_path} {command} {shlex.join(args)}?"
        inner = [f"{name}:{word}" for name, group in self.commands.items() if isinstance(group, Group) for word in group.commands]
        near = nearest(args[0], [*self.commands, *inner])
        return f" Did you mean '{near.replace(':', ' ')}'?" if near else ""


def _with_sorted_names(option: TyperOption | None) -> TyperOption | None:
    """The option with its names in an order that is the same in each process."""
    if option is not None:
        option.opts.sort(key=len)
    return option
