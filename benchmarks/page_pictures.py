"""Pictures beside a page of the documentation."""

from __future__ import annotations

from pathlib import Path

FOLDER = "results"
"""The folder of the pictures, beside the page."""


def picture_beside(page: Path, name: str) -> Path:
    """Return the path of a picture beside a page, in a folder that exists."""
    folder = page.parent / FOLDER
    folder.mkdir(exist_ok=True)
    return folder / name


def shown(picture: Path, description: str) -> str:
    """Return the Markdown that shows a picture beside a page."""
    return f"![{description}]({FOLDER}/{picture.name})"
