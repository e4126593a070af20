"""What a command says that was interrupted, and whose work the same command goes on with."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def goes_on_with_the_same_command(kept: Path) -> Iterator[None]:
    """Say where the work is kept and the command that goes on with it, if the block is interrupted.

    Args:
        kept: File or folder in which finished work is kept; nothing is said if it does not exist.
    """
    try:
        yield
    except KeyboardInterrupt:
        if kept.exists():
            logger.info("What was done is kept in %s. Go on with: %s", kept, command_line())
        raise


def command_line() -> str:
    """Return the command line of this process as it can be typed in again."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "the same torchrun command"
    return shlex.join(["streamdeblur", *sys.argv[1:]])
