"""Command-line options made from the fields of the settings, so that each setting is defined once."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from streamdeblur.options import RestorationOptions, Settings

RESTORATION = ("strength", "min_face", "always", "detector", "engine", "weights")
STREAM = (*RESTORATION, "detect_every")


def accepts(*names: str, model: type[Settings] = RestorationOptions) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its ``**settings``, an option for each of these fields of `model`; None where not given."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(*args: Any, **kwargs: Any) -> None:
            function(*args, **kwargs)

        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters = [*own, *(_parameter(name, model) for name in names)]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _parameter(name: str, model: type[Settings]) -> inspect.Parameter:
    field = model.flat_fields()[name]
    kind = _kind(field.annotation)
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        flag += f"/--no-{flag[2:]}"
    shown = " ".join(field.default) if isinstance(field.default, tuple) else field.default
    default = None if shown is None or shown is False else str(shown)
    option = typer.Option(flag, help=field.description, show_default=default or False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


def _kind(annotation: Any) -> Any:
    """What typer makes of text for a field of this type: optional types without None, words as text, tuples as lists."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return str
    if origin is tuple:
        return list[arguments[0]]  # type: ignore[valid-type]
    return next((kind for kind in arguments if kind is not types.NoneType), annotation)
