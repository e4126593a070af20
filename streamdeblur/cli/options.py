"""Command-line options made from the fields of a settings model, so that each setting is defined once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from streamdeblur.cli.parameters import NAME_OR_FILE
from streamdeblur.setting_messages import ValueType, in_words
from streamdeblur.settings import Settings
from streamdeblur.weights import AUTO, network_names

Command = Callable[..., None]

FFMPEG_SPELLINGS = {"start": "-ss", "end": "-to", "duration": "-t", "container": "-f", "overwrite": "-y/-n"}
"""What the ffmpeg command calls an option, which is its second name here."""


def with_settings(
    model: type[Settings],
    only: Collection[str] = (),
    *,
    without: Collection[str] = (),
    flags: Mapping[str, str] | None = None,
) -> Callable[[Command], Command]:
    """Give a command an option for each field of `model`, in place of its parameter ``**settings``.

    `settings` holds the options that are given: for the others, a configuration file or the default of the field decides.

    Args:
        model: Settings whose fields have flat names.
        only: Names of the fields to take; empty takes all.
        without: Names of fields to leave out.
        flags: Options with another spelling than the name of their field: ``{"schemes": "--scheme"}``.
    """
    fields = {name: field for name, field in model.flat_fields().items() if (not only or name in only) and name not in without}

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def command(**values: object) -> None:
            function(**{name: value for name, value in values.items() if name not in fields or value not in (None, [])})

        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters = own + [_parameter(name, field, (flags or {}).get(name)) for name, field in fields.items()]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _parameter(name: str, field: FieldInfo, flag: str | None) -> inspect.Parameter:
    flag = flag or f"--{name.replace('_', '-')}"
    value_type = ValueType.of_field(field)
    kind = _kind(value_type)
    if kind is bool and not name.startswith("no_"):
        flag += f"/--no-{flag[2:]}"
    placeholder = NAME_OR_FILE if name == "network" else _placeholder(value_type)
    names = [flag, FFMPEG_SPELLINGS[name]] if name in FFMPEG_SPELLINGS else [flag]
    option = typer.Option(
        *names, help=described(name, field), metavar=placeholder, show_default=False, autocompletion=_choices(name, value_type)
    )
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


def _placeholder(value_type: ValueType) -> str | None:
    """What stands for the value in the help; None where typer's own words do."""
    if value_type.spelling:
        return value_type.spelling.placeholder
    if get_origin(value_type.kind) is Literal:
        return "|".join(map(str, get_args(value_type.kind)))
    return {int: "N", float: "NUMBER", Path: "PATH", str: "TEXT"}.get(value_type.kind)


def _choices(name: str, value_type: ValueType) -> Callable[[], list[str]] | None:
    """The values that a shell completes; None where they are not known."""
    if name == "network":
        return lambda: [*network_names(), AUTO]
    literal = next((kind for kind in (value_type.kind, *get_args(value_type.kind)) if get_origin(kind) is Literal), None)
    return (lambda: [str(choice) for choice in get_args(literal)]) if literal else None


def _kind(value_type: ValueType) -> Any:
    """The type that typer converts text to for a field of this type. What it does not know stays text."""
    if value_type.spelling:
        return str
    if value_type.is_list:
        return list[_kind(ValueType.of(get_args(value_type.kind)[0]))]  # type: ignore[misc]  # a type that is made here
    if get_origin(value_type.kind) is tuple:
        return value_type.kind
    return value_type.kind if value_type.kind in (bool, int, float, Path) else str


def described(name: str, field: FieldInfo, *, default: bool = True) -> str:
    """Return the description of a setting with its limits and, if asked for, its default as it would be typed."""
    value_type = ValueType.of_field(field)
    notes = [] if value_type.spelling else list(filter(None, [in_words(value_type.telling_limits)]))
    if value_type.is_list:
        notes.append("may be given several times")
    if default and (typed := _default(name, field)):
        notes.append(f"default: {typed}")
    return f"{field.description} ({'; '.join(notes)})" if notes else f"{field.description}"


def _default(name: str, field: FieldInfo) -> str:
    """The default as it would be typed; empty for none."""
    value = field.default
    if isinstance(value, tuple):
        return ("," if ValueType.of_field(field).is_list else " ").join(map(_typed, value))
    if isinstance(value, bool):
        return name.replace("_", "-") if value else ""
    return "" if value is None else _typed(value)


def _typed(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
