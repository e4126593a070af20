"""How streamdeblur is installed, and how its extras are added."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

PACKAGE = "streamdeblur"


def install_command(extra: str) -> str:
    """Return the command that installs an extra beside this installation of streamdeblur.

    Args:
        extra: Its name in pyproject.toml.

    Returns:
        A command for pip: with the folder of the clone from which streamdeblur was installed where that is known (PEP 610), else
        for the folder of any clone, with a note that says so.
    """
    source = _source_folder()
    if source is None:
        return f'pip install ".[{extra}]" (in a clone of {PACKAGE})'
    folder, editable = source
    return f'pip install {"-e " if editable else ""}"{folder}[{extra}]"'


def _source_folder() -> tuple[Path, bool] | None:
    """The clone that was installed, and whether it is installed in editable mode; None where neither is known."""
    from urllib.request import url2pathname  # imports much, for a message only

    try:
        recorded = json.loads(distribution(PACKAGE).read_text("direct_url.json") or "{}")
        url, details = recorded["url"], recorded["dir_info"]
    except (PackageNotFoundError, ValueError, KeyError):
        return None
    folder = Path(url2pathname(urlsplit(url).path))
    return (folder, bool(details.get("editable"))) if (folder / "pyproject.toml").is_file() else None
