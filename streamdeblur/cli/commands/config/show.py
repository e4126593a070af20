"""streamdeblur config show: the settings that a command would use, and where each is from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streamdeblur.cli.configurable import Configurable, Setting, effective_settings
from streamdeblur.cli.exit_codes import handle_errors
from streamdeblur.cli.output import print_json, print_table
from streamdeblur.cli.parameters import Json

CONTEXT = {"ignore_unknown_options": True}
"""The options of the other command are none of this one."""

Name = Annotated[Configurable, typer.Argument(metavar="COMMAND", help="The command.")]
Options = Annotated[
    list[str] | None, typer.Argument(metavar="OPTIONS", help="Its options, such as --config fast --strength 0.8.")
]


def command(ctx: typer.Context, name: Name = "video", options: Options = None, json: Json = False) -> None:
    # wrong options are answered as those of the other command are
    given = _given(ctx, name, options or [])
    with handle_errors(json=json):
        config = given.pop("config", None)
        settings = effective_settings(name, None if config is None else Path(config), given)
        if json:
            print_json({setting.name: {"value": setting.value, "from": setting.origin} for setting in settings})
        else:
            print_table(["setting", "value", "from"], [[setting.name, _shown(setting), setting.origin] for setting in settings])


def _given(ctx: typer.Context, name: str, options: list[str]) -> dict[str, Any]:
    """What the options of a command say, without what it needs besides settings."""
    command = ctx.find_root().command.commands[name].load()  # type: ignore[attr-defined]  # of the application
    for parameter in command.params:
        parameter.required = False
    inner = command.make_context(name, options)
    return {key: value for key, value in inner.params.items() if value not in (None, [], ())}


def _shown(setting: Setting) -> str:
    value = setting.value
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
