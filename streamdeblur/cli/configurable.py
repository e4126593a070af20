"""The commands that take their settings from files as well, and what is to be known of these settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from streamdeblur.cli.options import described
from streamdeblur.cli.panels import panel_of, place_of
from streamdeblur.config_files import is_shipped
from streamdeblur.settings import UserSettings
from streamdeblur.weights import REAL_TIME_NETWORK

Configurable = Literal["video", "preview", "batch", "image", "live", "pipe", "serve"]
"""A command that restores faces, with settings that may stand in a file."""

MODELS: dict[Configurable, str] = {
    "video": "streamdeblur.options:VideoBatchOptions",
    "preview": "streamdeblur.options:PreviewOptions",
    "batch": "streamdeblur.options:ArchiveOptions",
    "image": "streamdeblur.options:ImageBatchOptions",
    "live": "streamdeblur.live.options:LiveOptions",
    "pipe": "streamdeblur.options:PipeOptions",
    "serve": "streamdeblur.options:RestorationOptions",
}

OWN_DEFAULTS: dict[str, dict[str, Any]] = {"live": {"network": REAL_TIME_NETWORK}, "serve": {"network": REAL_TIME_NETWORK}}
"""Defaults of a command that are others than those of its settings."""


def settings_of(command: Configurable) -> type[UserSettings]:
    """Return the settings of a command."""
    module, _, name = MODELS[command].partition(":")
    model: type[UserSettings] = getattr(import_module(module), name)
    return model


class Setting(NamedTuple):
    """A setting as a command would use it."""

    name: str
    value: Any
    """As JSON has it."""
    origin: str
    """"default", "command line", or the file or shipped settings that it is from."""


def effective_settings(command: Configurable, config: Path | None, given: Mapping[str, Any]) -> list[Setting]:
    """Return all settings of a command with where each is from.

    Args:
        command: The command.
        config: What stands after --config.
        given: What the other options say; names that are no settings are left out.

    Raises:
        OptionError: The file cannot be read, or a name or value is not valid.
    """
    model = settings_of(command)
    known = model.flat_fields()
    given = {name: value for name, value in given.items() if name in known}
    file = f"shipped: {config}" if config and is_shipped(config, model.shipped) else f"file: {config}"
    in_file = _flat(model.load(config), set_alone=True) if config else {}
    origins = dict.fromkeys(in_file, file) | dict.fromkeys(given, "command line")
    values = _flat(model.load(config, **given))
    values |= {name: value for name, value in OWN_DEFAULTS.get(command, {}).items() if name not in origins}
    return [Setting(name, values[name], origins.get(name, "default")) for name in sorted(known, key=place_of)]


def _flat(settings: UserSettings, *, set_alone: bool = False) -> dict[str, Any]:
    """The values by their flat names, as JSON has them; those alone that are set, if asked for."""
    flat: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="json", exclude_unset=set_alone).items():
        flat |= value if name in settings.parts() else {name: value}
    return flat


def commented_settings(command: Configurable) -> str:
    """Return all settings of a command as YAML, each after a # with its default, and below its description."""
    lines: list[str] = []
    panel = ""
    for name, field in sorted(settings_of(command).flat_fields().items(), key=lambda item: place_of(item[0])):
        if panel_of(name) != panel:
            panel = panel_of(name)
            lines += ["", f"## {panel}"]
        default = OWN_DEFAULTS.get(command, {}).get(name, field.default)
        lines += ["", f"# {described(name, field, default=False)}", f"#{name}: {_as_yaml(default)}".rstrip()]
    return "\n".join(lines) + "\n"


def _as_yaml(value: object) -> str:
    if value is None:
        return ""
    plain = list(map(str, value)) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


def json_schema(model: type[UserSettings]) -> dict[str, Any]:
    """Return the JSON Schema of a file of settings, by which editors complete and check them."""
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})
    properties: dict[str, Any] = {}
    for name, content in schema["properties"].items():
        part = definitions.get(content.get("$ref", "").rpartition("/")[2], {})
        properties |= part.get("properties") or {name: content}
    known = model.flat_fields()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of streamdeblur",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: properties[name] for name in known},
    }
