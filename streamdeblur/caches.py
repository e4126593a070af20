"""Caches, for what can be made again: compiled networks, measured speeds. What is damaged in them is removed.

Libraries read their own cache files without a check of their content, and some crash on a damaged one. So each file is kept with
its digest: in the file itself where this package writes it, else in a file beside those that a library writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

from streamdeblur.errors import OutputError
from streamdeblur.partial_file import write_file

DIGESTS = "digests.json"
"""File with the digests of the other files in a folder."""
DIGEST_SIZE = hashlib.sha256().digest_size


def cache_folder(name: str) -> Path | None:
    """Return a folder in the user's cache folder, created if absent.

    The environment variable ``STREAMDEBLUR_CACHE`` names another folder than the user's own.

    Args:
        name: Name of the folder.

    Returns:
        The folder, or None where it cannot be written.
    """
    try:
        folder = Path(os.environ.get("STREAMDEBLUR_CACHE") or platformdirs.user_cache_dir("streamdeblur")) / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, ValueError, RuntimeError):
        # RuntimeError: the user has no home folder; ValueError: STREAMDEBLUR_CACHE is no path
        return None


def read_cached(path: Path) -> bytes | None:
    """Return the content of a file that `write_cached` wrote; None where there is none. A damaged one is removed."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, content = stored[:DIGEST_SIZE], stored[DIGEST_SIZE:]
    if hashlib.sha256(content).digest() == digest:
        return content
    with suppress(OSError):
        path.unlink()
    return None


def write_cached(path: Path, content: bytes) -> None:
    """Write a file with its digest.

    Raises:
        OutputError: It cannot be written.
    """
    write_file(path, hashlib.sha256(content).digest() + content)


def remove_damaged(folder: Path) -> dict[str, str]:
    """Remove the files of a folder that are not as they were when `record_digests` saw them, or that it has not seen.

    Returns:
        The digests of the others by name, for `record_digests`.
    """
    known, whole = _known_digests(folder), {}
    for path in _files(folder):
        with suppress(OSError):
            digest = _digest(path)
            if known.get(path.name) == digest:
                whole[path.name] = digest
            else:
                path.unlink()
    return whole


def record_digests(folder: Path, whole: dict[str, str]) -> None:
    """Record the files that a library has written to a folder since `remove_damaged`, which returned `whole`."""
    # a full disk costs the cache, and nothing else
    with suppress(OSError, OutputError):
        found = {path.name: whole.get(path.name) or _digest(path) for path in _files(folder)}
        if found != _known_digests(folder):
            write_file(folder / DIGESTS, json.dumps(found, indent=1))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and path.name != DIGESTS]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known_digests(folder: Path) -> dict[str, str]:
    try:
        known = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}
