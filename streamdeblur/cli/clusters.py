"""The option --ray of commands that work in several processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated

import typer

from streamdeblur.cli.extras import needs_extra

RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Address of a Ray cluster that does the work; alone, that of RAY_ADDRESS, or a cluster on this machine.",
    ),
]
OPTIONAL_VALUES = {"--ray": "local"}
"""Options that may stand without a value, and what they mean then."""


def need_ray() -> None:
    """Report which extra to install where Ray is missing.

    Raises:
        OptionError: It is.
    """
    with needs_extra("ray", "--ray"):
        import_module("ray")


@contextmanager
def processes_of(address: str | None) -> Iterator[int | None]:
    """Let pools of processes be on a Ray cluster if an address is given; yields how many processes it has room for, else None."""
    if address is None:
        yield None
        return
    need_ray()
    from streamdeblur.ray_cluster import pools_on_cluster

    with pools_on_cluster(address) as count:
        yield count
