"""What a command says that was interrupted, and whose work the same command goes on with."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InterruptedWork(KeyboardInterrupt):
    """An interrupt of work that is kept; its text says where, and how to go on."""


@contextmanager
def goes_on_with_the_same_command(kept: Path) -> Iterator[None]:
    """Name the place where the work is kept and the command that goes on with it, if the block is interrupted.

    Args:
        kept: File or folder in which finished work is kept; without it, there is nothing to go on with.

    Raises:
        InterruptedWork: The block was interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not kept.exists():
            raise InterruptedWork("There is nothing to go on with yet.") from None
        raise InterruptedWork(f"What was done is kept in {kept}. Go on with: {command_line()}") from None


def command_line() -> str:
    """Return the command line of this process as it can be typed in again."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "the same torchrun command"
    return shlex.join(["streamdeblur", *sys.argv[1:]])
