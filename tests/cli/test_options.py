"""Command-line options that are made from settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
from pydantic import Field
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from streamdeblur.cli.app import LazyCommand, build_app
from streamdeblur.cli.options import with_settings
from streamdeblur.cli.panels import OTHER, PANELS
from streamdeblur.settings import ComposedSettings, Settings


class Part(Settings):
    strength: float = Field(default=1.0, ge=0.0, le=1.0, description="How much.")
    always: bool = Field(default=False, description="Always.")


class Whole(ComposedSettings):
    part: Part = Part()
    overlay: bool = Field(default=True, description="Overlay.")
    network: Path | None = Field(default=None, description="A file.")
    extents: tuple[float, float] = Field(default=(4.0, 34.5), description="Two numbers.")
    names: tuple[str, ...] = Field(default=("a", "b"), description="Names.")
    every: int = Field(default=5, ge=1, description="Every.")


def command_of(**selection) -> tuple[TyperCommand, list[dict]]:
    """A command with options for settings, and the settings of its calls."""
    calls = []
    app = typer.Typer(add_completion=False)

    @app.command()
    @with_settings(Whole, **selection)
    def command(source: Annotated[str, typer.Argument()], quiet: bool = False, **settings: object) -> None:
        calls.append(settings)

    return get_command(app), calls


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {}),
        (["--strength", "0.5", "--no-always", "--no-overlay"], {"strength": 0.5, "always": False, "overlay": False}),
        (["--network", "a.onnx", "--every", "3"], {"network": Path("a.onnx"), "every": 3}),
        (["--extents", "1", "2", "--names", "x", "--names", "y"], {"extents": (1.0, 2.0), "names": ["x", "y"]}),
    ],
)
def test_only_the_options_that_are_given_are_passed(arguments, settings):
    command, calls = command_of()
    command(["in.mp4", *arguments], standalone_mode=False)
    assert calls == [settings]
    Whole.validated(settings)


def test_the_help_shows_descriptions_bounds_and_defaults(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command, _ = command_of()
    with pytest.raises(SystemExit):
        command(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "How much. (0 to 1; default: 1)",
        "--always --no-always <bool> Always. │",
        "Overlay. (default: overlay)",
        "A file. │",
        "Two numbers. (default: 4 34.5)",
        "Names. (may be given several times; default: a,b)",
        "Every. (at least 1; default: 5)",
    ):
        assert words in shown


def test_fields_are_selected_and_spelt_otherwise():
    command, calls = command_of(only=["names", "every", "always"], without=["every"], flags={"names": "--name"})
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options == {"--quiet", "--name", "--always"}
    command(["in.mp4", "--name", "x"], standalone_mode=False)
    assert calls == [{"names": ["x"]}]


def test_the_options_of_each_command_stand_in_panels():
    commands = [command.load() for command in all_commands(build_app())]
    names = {parameter.name for command in commands for parameter in command.params}
    listed = [name for panel in PANELS.values() for name in panel]
    assert len(listed) == len(set(listed))
    assert set(listed) <= names
    for command in commands:
        shown = [parameter.rich_help_panel for parameter in command.params if parameter.param_type_name == "option"]
        # each panel is one block, in the order of the table
        assert list(dict.fromkeys(shown)) == [panel for panel in (*PANELS, OTHER) if panel in shown]


def all_commands(group: TyperGroup) -> list[LazyCommand]:
    commands: list[LazyCommand] = []
    for command in group.commands.values():
        commands += all_commands(command) if isinstance(command, TyperGroup) else [command]
    return commands
