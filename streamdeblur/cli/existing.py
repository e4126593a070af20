"""How a command says that an output exists: Python is told of an argument, people at a terminal are told of options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from typer.core import TyperOption

from streamdeblur.files import REPLACING

_ways: ContextVar[str] = ContextVar("ways", default=REPLACING)


@contextmanager
def ways_of(options: Sequence[TyperOption]) -> Iterator[None]:
    """Let `in_options` name these options of a command, as far as they say what becomes of outputs that exist."""
    names = {option.name: option.opts for option in options}
    ways = []
    if "overwrite" in names:
        first, *others = names["overwrite"]
        ways.append(f"{first}{f' ({others[0]})' if others else ''} to replace it")
    if "resume" in names:
        ways.append("--resume to skip outputs that exist")
    before = _ways.set(f"Give {', or '.join(ways)}" if ways else REPLACING)
    try:
        yield
    finally:
        _ways.reset(before)


def in_options(message: str) -> str:
    """Return the message of an error with the options of the present command in place of the argument of Python."""
    return message.replace(REPLACING, _ways.get())
