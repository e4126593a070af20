"""Optional dependencies of commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from streamdeblur.caches import cache_folder
from streamdeblur.cli.system_libraries import missing_library
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
    _keep_matplotlib_cache()
    try:
        yield
    except ImportError as error:
        advice = missing_library(error) or f"{purpose} needs {error.name}. Install it with: {install_command(name)}"
        raise OptionError(advice) from None


def _keep_matplotlib_cache() -> None:
    """Let Matplotlib, which some extras import, keep its list of fonts with our caches, unless the user has a folder for it."""
    if "MPLCONFIGDIR" not in os.environ and (folder := cache_folder("matplotlib")):
        os.environ["MPLCONFIGDIR"] = str(folder)
