"""Command-line options made from the fields of `Options`, so that each setting is defined once."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from streamdeblur.options import Options

RESTORATION = ("strength", "min_face", "always", "detector", "engine", "weights")
STREAM = (*RESTORATION, "detect_every")


def accepts(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its ``**settings``, one option for each of these fields; those not given are None."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(*args: Any, **kwargs: Any) -> None:
            function(*args, **kwargs)

        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        parameters = [*own, *(_parameter(name) for name in names)]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def _parameter(name: str) -> inspect.Parameter:
    field = Options.model_fields[name]
    kinds = [kind for kind in typing.get_args(field.annotation) if kind is not types.NoneType] or [field.annotation]
    flag = f"--{name.replace('_', '-')}"
    if kinds[0] is bool:
        flag += f"/--no-{flag[2:]}"
    default = None if field.default is None or field.default is False else str(field.default)
    option = typer.Option(flag, help=field.description, show_default=default or False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kinds[0] | None, option])
