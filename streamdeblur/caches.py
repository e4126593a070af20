"""Folders for what can be made again: compiled networks, converted models."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs


def cache_folder(name: str) -> Path | None:
    """The folder `name` in the user's cache folder, made if absent; None where none can be written.

    ``STREAMDEBLUR_CACHE`` in the environment names another folder than the user's own.
    """
    base = os.environ.get("STREAMDEBLUR_CACHE") or platformdirs.user_cache_dir("streamdeblur")
    folder = Path(base) / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None
