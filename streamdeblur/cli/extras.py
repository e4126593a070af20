"""Optional dependencies of commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamdeblur.errors import OptionError
from streamdeblur.installation import install_command


@contextmanager
def needs_extra(name: str, purpose: str) -> Iterator[None]:
    """Report which extra to install if an import within fails.

    Args:
        name: The extra in pyproject.toml.
        purpose: What the command does, as the subject of a sentence: "Training".

    Raises:
        OptionError: A package cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise OptionError(f"{purpose} needs {error.name}. Install it with: {install_command(name)}") from None
