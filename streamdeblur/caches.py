"""Cache folders, for what can be made again: compiled networks, converted models."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path | None:
    """Return a folder in the user's cache folder, created if absent.

    The environment variable ``STREAMDEBLUR_CACHE`` names another folder than the user's own.

    Args:
        name: Name of the folder.

    Returns:
        The folder, or None where it cannot be written.
    """
    base = os.environ.get("STREAMDEBLUR_CACHE") or platformdirs.user_cache_dir("streamdeblur")
    folder = Path(base) / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
