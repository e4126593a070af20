"""The manual page, made of the commands and their options: python -m streamdeblur.cli.man_page > docs/streamdeblur.1

The page is installed where `man streamdeblur` looks for it, below the folder of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

import typer
from typer.core import TyperCommand, TyperOption

from streamdeblur.cli.app import EPILOG, HELP, LazyCommand, build_app
from streamdeblur.cli.command import Group
from streamdeblur.cli.panels import panel_of

SYNOPSIS = "streamdeblur COMMAND [OPTIONS] ARGUMENTS"


def man_page() -> str:
    """Return the page in the language of man(7)."""
    lines = [
        ".TH STREAMDEBLUR 1",
        ".SH NAME", rf"streamdeblur \- {_text(HELP.removeprefix('streamdeblur ').rstrip('.'))}",
        ".SH SYNOPSIS", _bold(SYNOPSIS),
        ".SH COMMANDS", "All commands, each with its options.",
        *_commands(build_app(), "streamdeblur"),
        ".SH EXIT STATUS", _text(EPILOG.removeprefix("Exit codes: ")),
        ".SH SEE ALSO", ".BR ffmpeg (1)",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _commands(group: Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, Group):
            yield from _commands(command, f"{path} {name}")
        elif isinstance(command, LazyCommand):
            yield from _command(command.load(), f"{path} {name}")


def _command(command: TyperCommand, path: str) -> Iterator[str]:
    context = typer.Context(command, info_name=path)
    arguments = [param for param in command.params if not isinstance(param, TyperOption)]
    options = [param for param in command.params if isinstance(param, TyperOption) and not param.hidden]
    yield f".SS {_text(' '.join([path, *(piece for param in arguments for piece in param.get_usage_pieces(context))]))}"
    yield from (_text(paragraph) for paragraph in _separated(command.help or ""))
    for param in arguments:
        yield from _entry(param.metavar or param.name, param.help)  # type: ignore[attr-defined]  # an argument of typer has it
    for panel, group in groupby(options, lambda option: panel_of(option.name)):
        yield from (".PP", _bold(panel))
        for option in group:
            names = ", ".join((*option.opts, *option.secondary_opts))
            value = "" if option.is_flag else f" {option.metavar or option.display_type(context)}"
            yield from _entry(names + value, option.help)


def _separated(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield paragraph


def _entry(term: str, text: str | None) -> Iterator[str]:
    yield from (".TP", _bold(term), _text(text or ""))


def _bold(text: str) -> str:
    return rf"\fB{_text(text)}\fR"


def _text(text: str) -> str:
    """Text in which nothing is a request: neither a backslash nor a point or quote at the beginning of a line."""
    line = re.sub(r"\s+", " ", text).strip().replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{line}" if line[:1] in (".", "'") else line


if __name__ == "__main__":
    print(man_page(), end="")
